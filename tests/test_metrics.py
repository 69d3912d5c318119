"""Metrics against scikit-learn, statsmodels and their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
    roc_curve,
)

from concept_transfer.evaluation.calibration import (
    SMALLEST,
    brier_decomposition,
    calibration_bins,
    calibration_in_the_large,
    logit,
    recalibration,
    sigmoid,
    wilson_interval,
)
from concept_transfer.evaluation.metrics import (
    METRICS,
    condense,
    metrics,
    no_skill,
    weighted_metrics,
)

ALERT_RATE = 0.1


def scikit_learn(labels: np.ndarray, p: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    used = weights > 0
    labels, p, weights = labels[used], p[used], weights[used]
    fpr, tpr, _ = roc_curve(labels, p, sample_weight=weights, drop_intermediate=False)
    clipped = np.clip(p, SMALLEST, 1 - SMALLEST)
    return {
        "auroc": roc_auc_score(labels, p, sample_weight=weights),
        "auprc": average_precision_score(labels, p, sample_weight=weights),
        "sensitivity_at_90": tpr[fpr <= 0.10 + 1e-9].max(),
        "sensitivity_at_95": tpr[fpr <= 0.05 + 1e-9].max(),
        "brier": brier_score_loss(labels, p, sample_weight=weights),
        "log_loss": log_loss(labels, clipped, sample_weight=weights),
    }


def alerted_share_of_positives(labels: np.ndarray, p: np.ndarray, rate: float) -> float:
    """PPV among the highest predictions, tied encounters alerted in equal parts, slowly."""
    budget, found = rate * len(labels), 0.0
    left = budget
    for score in sorted(set(p.tolist()), reverse=True):
        tied = labels[p == score]
        taken = min(1.0, left / len(tied))
        found += taken * tied.sum()
        left -= taken * len(tied)
        if left <= 0:
            break
    return found / budget


@st.composite
def weighted_samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 60))
    seed = draw(st.integers(0, 2**32 - 1))
    distinct = draw(st.sampled_from([2, 5, 1000]))
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < draw(st.sampled_from([0.1, 0.5, 0.9]))).astype(np.int8)
    p = (rng.integers(0, distinct + 1, n) / distinct).astype(np.float32)
    return labels, p, rng.integers(0, 4, (n, 3)).astype(np.float64)


@settings(max_examples=150, deadline=None)
@given(weighted_samples())
def test_metrics_equal_scikit_learn_with_ties_and_weights(sample) -> None:
    labels, p, weights = sample
    ours = weighted_metrics(condense(labels, p), weights, ALERT_RATE)
    for draw in range(weights.shape[1]):
        w = weights[:, draw]
        assume(w[labels == 1].sum() > 0 and w[labels == 0].sum() > 0)
        expected = scikit_learn(labels, p.astype(np.float64), w)
        for name, value in expected.items():
            assert ours[list(METRICS).index(name), draw] == pytest.approx(value, abs=1e-9), name
        copies = np.repeat(np.arange(len(labels)), w.astype(int))
        ppv = alerted_share_of_positives(labels[copies], p[copies], ALERT_RATE)
        assert ours[list(METRICS).index("ppv_at_alert_rate"), draw] == pytest.approx(ppv, abs=1e-9)


def test_clusters_weigh_all_their_encounters() -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random(300) < 0.3).astype(np.int8)
    p = rng.random(300).astype(np.float32)
    cluster = rng.integers(0, 40, 300)
    weights = rng.integers(0, 3, (40, 5)).astype(np.float64)
    by_cluster = weighted_metrics(condense(labels, p, cluster, 40), weights)
    by_encounter = weighted_metrics(condense(labels, p), weights[cluster])
    np.testing.assert_allclose(by_cluster, by_encounter, rtol=1e-9)


def test_float32_weights_lose_no_more_than_rounding() -> None:
    rng = np.random.default_rng(4)
    labels = (rng.random(20_000) < 0.4).astype(np.int8)
    p = (1 / (1 + np.exp(-rng.normal(labels - 1.0)))).astype(np.float32)
    weights = rng.poisson(1, (20_000, 4))
    summary = condense(labels, p)
    single = weighted_metrics(summary, weights.astype(np.float32))
    np.testing.assert_allclose(single, weighted_metrics(summary, weights * 1.0), atol=2e-5)


def test_one_class_has_no_ranking_and_no_calibration() -> None:
    values = metrics(np.zeros(5, np.int8), np.linspace(0.1, 0.5, 5))
    undefined = {name for name in METRICS if np.isnan(values[name])}
    assert undefined == set(METRICS) - {"brier", "log_loss"}
    both = condense(np.array([0, 0, 1]), np.array([0.1, 0.2, 0.3]))
    drawn = weighted_metrics(both, np.array([[1.0], [1.0], [0.0]]))
    assert np.isnan(drawn[list(METRICS).index("auroc"), 0])


def logistic_sample(n: int, intercept: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    p = 1 / (1 + np.exp(-rng.normal(-1, 1.5, n)))
    truth = 1 / (1 + np.exp(-(intercept + slope * np.log(p / (1 - p)))))
    return (rng.random(n) < truth).astype(np.int8), p


def test_recalibration_is_the_logistic_regression_of_statsmodels() -> None:
    labels, p = logistic_sample(800, -0.5, 0.6)
    z = logit(p)
    joint = sm.Logit(labels, sm.add_constant(z)).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(recalibration(labels, z), joint.params, rtol=1e-7)
    offset = sm.GLM(labels, np.ones(800), family=sm.families.Binomial(), offset=z).fit(tol=1e-12)
    assert calibration_in_the_large(labels, z) == pytest.approx(offset.params[0], rel=1e-7)
    values = metrics(labels, p)
    assert values["calibration_slope"] == pytest.approx(joint.params[1], rel=1e-7)
    assert values["calibration_intercept"] == pytest.approx(offset.params[0], rel=1e-7)


def test_one_newton_step_is_close_to_the_refitted_calibration() -> None:
    labels, p = logistic_sample(1500, 0.3, 0.8)
    rng = np.random.default_rng(5)
    weights = rng.multinomial(1500, np.full(1500, 1 / 1500), size=40).T.astype(np.float64)
    ours = weighted_metrics(condense(labels, p), weights)[list(METRICS).index("calibration_slope")]
    design, family = sm.add_constant(logit(p)), sm.families.Binomial()
    refitted = [
        sm.GLM(labels, design, family=family, freq_weights=w).fit().params[1] for w in weights.T
    ]
    assert np.std(ours) == pytest.approx(np.std(refitted), rel=0.05)
    assert np.abs(ours - refitted).max() < 0.25 * np.std(refitted)


@pytest.mark.parametrize(
    ("labels", "p"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),  # separated
        ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5]),  # constant
        ([1, 1, 1, 1], [0.1, 0.2, 0.8, 0.9]),  # one class
        ([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9]),  # separated but for a tie
    ],
)
def test_calibration_without_a_finite_fit_is_not_a_number(labels, p) -> None:
    values = recalibration(np.array(labels), logit(np.array(p)))
    assert np.isnan(values).all()


def test_brier_decomposition_adds_up_and_knows_perfect_calibration() -> None:
    labels, p = logistic_sample(2000, 0.8, 0.5)
    miscalibration, discrimination, uncertainty = brier_decomposition(labels, p)
    brier = brier_score_loss(labels, p)
    assert miscalibration - discrimination + uncertainty == pytest.approx(brier, abs=1e-12)
    assert uncertainty == pytest.approx(labels.mean() * (1 - labels.mean()))
    assert miscalibration > 0.01
    assert discrimination > 0.01
    shares = np.repeat([0.25, 0.75], 4)
    outcome = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    assert brier_decomposition(outcome, shares)[0] == pytest.approx(0, abs=1e-12)


def test_calibration_bins_count_every_encounter_once_a_replicate() -> None:
    labels, p = logistic_sample(1000, 0.0, 1.0)
    bins = calibration_bins(labels, np.stack([p, 1 - p]), 10)
    assert [found.encounters for found in bins] == [100] * 10
    order = np.argsort(p)
    lowest, highest = order[:100], order[-100:]
    expected = (labels[lowest].sum() + labels[highest].sum()) / 2
    assert bins[0].positives == pytest.approx(expected)
    assert bins[0].predicted == pytest.approx((p[lowest].mean() + 1 - p[highest].mean()) / 2)
    assert sum(found.positives for found in bins) == pytest.approx(labels.sum())
    assert sum(found.encounters for found in calibration_bins(labels[:7], p[None, :7])) == 7


def test_ties_share_their_labels_whatever_their_order() -> None:
    labels = np.array([1, 1, 0, 0, 0, 0, 1, 0])
    tied = np.array([0.5] * 4 + [0.9] * 4)
    for order in (np.arange(8), np.array([2, 0, 3, 1, 7, 6, 5, 4])):
        bins = calibration_bins(labels[order], tied[None, order], 4)
        assert [found.positives for found in bins] == pytest.approx([1.0, 1.0, 0.5, 0.5])


def test_wilson_interval_equals_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    expected = proportion_confint(7, 90, alpha=0.1, method="wilson")
    assert wilson_interval(7, 90, 0.9) == pytest.approx(expected)


def test_no_skill_is_what_a_constant_prediction_reaches() -> None:
    labels = np.repeat([0, 1], [70, 30])
    reached = metrics(labels, np.full(100, 0.3))
    level = no_skill(labels)
    for name in ("auroc", "auprc", "brier", "log_loss", "ppv_at_alert_rate"):
        assert reached[name] == pytest.approx(level[name]), name


def test_a_perfect_model_reaches_the_ideal_within_the_bounds() -> None:
    """Risks of 0, 1/4, 3/4 and 1 of which each comes true as often as it says."""
    labels = np.array([0, 1] * 20, np.int8)
    perfect = metrics(labels, labels.astype(float), alert_rate=0.5)
    risks = np.repeat([0.25, 0.75], 40)
    calibrated = metrics(np.array([1, 0, 0, 0] * 10 + [1, 1, 1, 0] * 10, np.int8), risks)
    for name, metric in METRICS.items():
        reached = calibrated if metric.about == "calibration" else perfect
        assert reached[name] == pytest.approx(metric.ideal, abs=1e-5), name
        assert metric.bounds[0] <= metric.ideal <= metric.bounds[1]


def test_the_better_model_is_the_one_that_the_direction_says() -> None:
    rng = np.random.default_rng(5)
    labels = (rng.random(400) < 0.3).astype(np.int8)
    good, bad = (sigmoid(gain * labels - 1 + rng.normal(size=400)) for gain in (3.0, 0.3))
    values = [metrics(labels, p) for p in (good, bad)]
    directed = {n: m for n, m in METRICS.items() if m.higher_is_better is not None}
    assert directed.keys() == METRICS.keys() - {"calibration_intercept", "calibration_slope"}
    for name, metric in directed.items():
        assert (values[0][name] > values[1][name]) == metric.higher_is_better, name
