"""Under cross-fitting every fold has a model of its own: only its own encounters are ranked."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_data import a_cell, clustered_scores, encounter_ids, predictions
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from concept_transfer.evaluation.calibration import logit, sigmoid
from concept_transfer.evaluation.delong import auroc, placements, variance
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.evaluation.metrics import METRICS, RANKING, condense, metrics, no_skill
from concept_transfer.evaluation.metrics import weighted_metrics as weighted
from concept_transfer.evaluation.subgroups import subgroup_rows
from concept_transfer.settings.evaluation import Evaluation

FOLDS = 4
RANKED = [metric.name for metric in RANKING]


def sample(seed: int, count: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels [n], probabilities [n] on a scale of each fold's own, folds [n]."""
    rng = np.random.default_rng(seed)
    fold = rng.integers(FOLDS, size=count)
    labels = (rng.random(count) < 0.3).astype(np.int8)
    scores = labels + rng.normal(size=count) + 2.0 * fold
    return labels, sigmoid(np.round(scores, 1) - 3), fold


def pairs_in_order(labels: np.ndarray, scores: np.ndarray, fold: np.ndarray) -> float:
    """The plain truth: over all pairs of one fold, the share in the right order."""
    won = pairs = 0.0
    for i in np.flatnonzero(labels == 1):
        for j in np.flatnonzero((labels == 0) & (fold == fold[i])):
            won += float(scores[i] > scores[j]) + 0.5 * float(scores[i] == scores[j])
            pairs += 1
    return won / pairs


@given(seed=st.integers(0, 10_000))
def test_auroc_counts_the_pairs_of_one_fold(seed: int) -> None:
    labels, p, fold = sample(seed, 60)
    truth = pairs_in_order(labels, p, fold)
    assert metrics(labels, p, fold=fold)["auroc"] == pytest.approx(truth)
    assert auroc(labels, p, fold) == pytest.approx(truth)
    assert placements(labels, p, fold)[labels == 1].mean() == pytest.approx(truth)
    assert placements(labels, p, fold)[labels == 0].mean() == pytest.approx(truth)


@given(seed=st.integers(0, 10_000), shift=st.floats(-3, 3))
def test_the_scale_of_one_folds_model_changes_no_rank_metric(seed: int, shift: float) -> None:
    labels, p, fold = sample(seed)
    moved = np.where(fold == 1, sigmoid(0.5 * logit(p) + shift), p)
    before, after = metrics(labels, p, fold=fold), metrics(labels, moved, fold=fold)
    for name in RANKED:
        assert after[name] == pytest.approx(before[name]), name


def test_rank_metrics_are_the_folds_own_weighted_by_pairs() -> None:
    labels, p, fold = sample(3, 400)
    parts = [(labels[fold == f], p[fold == f]) for f in range(FOLDS)]
    pairs = np.array([y.sum() * (1 - y).sum() for y, _ in parts], dtype=float)
    ours = metrics(labels, p, fold=fold)
    for name, truth in (("auroc", roc_auc_score), ("auprc", average_precision_score)):
        expected = pairs @ [truth(y, q) for y, q in parts] / pairs.sum()
        assert ours[name] == pytest.approx(expected), name
    for name in RANKED:
        expected = pairs @ [metrics(y, q)[name] for y, q in parts] / pairs.sum()
        assert ours[name] == pytest.approx(expected), name
    level = no_skill(labels, fold)
    assert level["auprc"] == pytest.approx(pairs @ [y.mean() for y, _ in parts] / pairs.sum())


def test_a_draw_repeats_encounters_within_their_folds() -> None:
    labels, p, fold = sample(4)
    weights = np.random.default_rng(5).integers(0, 3, size=(len(labels), 20)).astype(float)
    ours = weighted(condense(labels, p, fold=fold), weights)[list(METRICS).index("auroc")]
    for column, value in zip(weights.T.astype(int), ours, strict=True):
        drawn = np.repeat(np.arange(len(labels)), column)
        assert value == pytest.approx(pairs_in_order(labels[drawn], p[drawn], fold[drawn]))


def test_a_fold_of_one_class_has_no_say() -> None:
    labels, p, fold = sample(6)
    labels[fold == 2] = 0
    rest = fold != 2
    ours, without = (
        metrics(labels, p, fold=fold),
        metrics(labels[rest], p[rest], fold=fold[rest]),
    )
    for name in (*RANKED, "calibration_slope"):
        assert ours[name] == pytest.approx(without[name]), name
    assert np.isnan(auroc(labels[~rest], p[~rest], fold[~rest]))


def test_the_slope_is_common_and_each_fold_has_its_intercept() -> None:
    import statsmodels.api as sm

    labels, p, fold = sample(7, 600)
    design = np.column_stack([logit(p), *(fold == f for f in range(FOLDS))]).astype(float)
    fitted = sm.GLM(labels, design, family=sm.families.Binomial()).fit()
    assert metrics(labels, p, fold=fold)["calibration_slope"] == pytest.approx(fitted.params[0])


def test_the_variance_agrees_with_the_bootstrap() -> None:
    labels, p, fold = sample(8, 800)
    rng = np.random.default_rng(9)
    draws = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=4000).T
    values = weighted(condense(labels, p, fold=fold), draws.astype(float))[
        list(METRICS).index("auroc")
    ]
    ours = variance(labels, placements(labels, p, fold)) ** 0.5
    assert ours == pytest.approx(values.std(), rel=0.05)


def test_strategies_that_train_a_model_a_fold_are_not_punished() -> None:
    """Two equally good strategies, one with one model and one with a model a fold."""
    rng = np.random.default_rng(10)
    ids, labels, (one, many) = clustered_scores(rng, 800, 1, 5, models=2, replicate_sd=0.0)
    fold = (np.arange(len(labels)) % FOLDS).astype(np.int16)
    many = sigmoid(logit(many) + 1.5 * fold)
    settings = Evaluation(draws=200)
    cells = [
        replace(predictions(a_cell(strategy=name), labels, p), fold=fold)
        for name, p in (("direct", one), ("full", many))
    ]
    result = evaluate_cells(cells, encounter_ids(cells[0]), ids, settings, 1)
    rows = result.estimates.to_pandas().query("metric == 'auroc'").set_index("strategy")
    assert abs(rows.estimate["full"] - rows.estimate["direct"]) < 0.02
    assert roc_auc_score(labels, many[0]) < rows.estimate["full"] - 0.05  # what was reported once
    truth = np.mean([pairs_in_order(labels, p.astype(np.float32), fold) for p in many])
    assert rows.estimate["full"] == pytest.approx(truth, abs=1e-6)
    everyone = {"all": np.full(len(labels), "all")}
    group = next(subgroup_rows(cells[1], everyone, ids, settings))
    assert group["estimate"] == pytest.approx(truth, abs=1e-6)
    assert group["lower"] == pytest.approx(rows.lower["full"], abs=0.005)
