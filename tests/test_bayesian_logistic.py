"""Bayesian and ridge logistic regression on tokens, against scikit-learn and plain references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ridge_reference import cross_validated_ridge
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from concept_transfer.models import bayesian_logistic, penalties, ridge_logistic
from concept_transfer.models.amplitudes import (
    DECADES,
    choose,
    one_step,
    with_slopes,
)
from concept_transfer.models.bayesian_logistic import columns_of
from concept_transfer.models.logistic_mode import Floats, TwoClasses, leave_one_out, mode
from concept_transfer.models.sparse_mode import sparse_mode
from concept_transfer.models.token_design import (
    Covariance,
    Design,
    centred,
    of_mean_norm_one,
    pareto_scale,
)
from concept_transfer.models.token_scores import Line


def encounters(
    count: int = 80, tokens: int = 12, seed: int = 0, prior: bool = False, effect: float = 1.5
) -> TwoClasses:
    """Of which the first three tokens tell the label."""
    rng = np.random.default_rng(seed)
    findings = (rng.random((count, tokens)) < 0.4).astype(float)
    logits = effect * (findings[:, :3] @ [1.0, 1.0, -1.0] - 0.4)
    labels = (rng.random(count) < 1 / (1 + np.exp(-logits))).astype(float)
    labels[:2] = 0, 1
    weights = rng.uniform(0.5, 2, count)
    line = Line(rng.normal(size=tokens), -0.5) if prior else None
    return TwoClasses(csr_array(findings), labels, weights, line)


def vectors_of(tokens: int, width: int = 4, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=(tokens, width))


def found_by_design(design: Design, covariance: Covariance) -> Line:
    data = design.data
    found = mode(data, *columns_of(design, covariance))
    weights = design.weights(found.residuals, covariance)
    return design.line(weights, found.coefficients[: len(data.precision)])


def found_plainly(data: TwoClasses, scale: Floats, vectors: Floats, covariance: Covariance) -> Line:
    """The mode over intercept, slope and weights, with the covariance inverted.

    The design's coefficients of fixed columns are those left when the findings' share is taken
    out; their precision is on these.
    """
    design = Design.of(data, scale, vectors)
    whole = covariance.amplitude * (
        (1 - covariance.share) * np.eye(len(scale)) + covariance.share * vectors @ vectors.T
    )
    inverse = np.linalg.inv(whole)
    findings = data.findings.toarray() / scale
    foretold = design.foretelling @ findings
    fixed = data.fixed.shape[1]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        first, weights = parameters[:fixed], parameters[fixed:]
        rest = findings - data.fixed @ foretold
        logits = data.offset + data.fixed @ first + rest @ weights
        residuals = data.weights * (data.labels - 1 / (1 + np.exp(-logits)))
        value = data.weights @ (np.logaddexp(0, logits) - data.labels * logits)
        value += 0.5 * (data.precision @ first**2 + weights @ inverse @ weights)
        slope = [data.precision * first - data.fixed.T @ residuals]
        slope.append(inverse @ weights - rest.T @ residuals)
        return value, np.concatenate(slope)

    start = np.zeros(fixed + len(scale))
    options = {"gtol": 1e-9, "maxiter": 5000}
    best = minimize(loss, start, jac=True, method="BFGS", options=options).x
    first, weights = best[:fixed], best[fixed:]
    return data.line(weights / scale, first - foretold @ weights)


def assert_same(found: Line, expected: Line, atol: float = 1e-4) -> None:
    np.testing.assert_allclose(found.coefficients, expected.coefficients, atol=atol)
    assert found.intercept == pytest.approx(expected.intercept, abs=atol)


@pytest.mark.parametrize("variance", [0.01, 1.0])
def test_without_vectors_it_is_the_logistic_regression_of_scikit_learn(variance: float) -> None:
    data = encounters()
    found = ridge_logistic.fit_with(data, variance, None)
    model = LogisticRegression(C=variance, tol=1e-10, max_iter=5000)
    model.fit(data.findings.toarray(), data.labels, sample_weight=data.weights)
    assert_same(found, Line(model.coef_[0], float(model.intercept_[0])), atol=1e-3)


def test_on_vectors_it_is_ridge_on_findings_and_the_sum_of_their_vectors() -> None:
    data, vectors = encounters(), vectors_of(12)
    unit = of_mean_norm_one(vectors, 12)
    found = ridge_logistic.fit_with(data, 0.3, vectors)
    both = np.hstack([data.findings.toarray(), data.findings @ unit])
    model = LogisticRegression(C=0.3, tol=1e-10, max_iter=5000)
    model.fit(both, data.labels, sample_weight=data.weights)
    weights = model.coef_[0][:12] + unit @ model.coef_[0][12:]
    assert_same(found, Line(weights, float(model.intercept_[0])), atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(5, 40),
    st.integers(4, 25),
    st.floats(-3, 1),
    st.floats(0, 0.95),
    st.booleans(),
    st.integers(0, 1000),
)
def test_the_mode_is_that_of_a_plain_optimizer_in_both_forms(
    count: int, tokens: int, decade: float, share: float, prior: bool, seed: int
) -> None:
    """More encounters than tokens, and fewer; with a handed-on model as prior mean, and without."""
    data = encounters(count, tokens, seed, prior)
    scale, vectors = pareto_scale(data.findings), of_mean_norm_one(vectors_of(tokens), tokens)
    covariance = Covariance(10**decade, share)
    found = found_by_design(Design.of(data, scale, vectors), covariance)
    expected = found_plainly(data, scale, vectors, covariance)
    logits = found.logits(data.findings)
    np.testing.assert_allclose(logits, expected.logits(data.findings), atol=2e-3)
    assert_same(found, expected, atol=2e-3)


def test_the_form_for_few_encounters_is_the_form_for_few_tokens() -> None:
    data, vectors = encounters(30, 20), vectors_of(20)
    covariance, scale = Covariance(0.3, 0.4), pareto_scale(data.findings)
    lines = []
    for dual in (True, False):
        design = Design.of(data, scale, vectors)
        vars(design)["is_dual"] = dual
        lines.append(found_by_design(design, covariance))
    assert_same(lines[0], lines[1], atol=1e-5)


@pytest.mark.parametrize("prior", [False, True])
def test_without_a_dense_matrix_the_mode_is_the_same(prior: bool) -> None:
    data, vectors = encounters(300, prior=prior), vectors_of(12)
    scale, covariance = pareto_scale(data.findings), Covariance(0.2, 0.5)
    design = Design.of(data, scale, vectors)
    found = design.line(*sparse_mode(data, design, covariance))
    expected = found_by_design(design, covariance)
    np.testing.assert_allclose(
        found.logits(data.findings), expected.logits(data.findings), atol=0.02
    )


def test_leave_one_out_scores_are_those_of_models_without_the_encounter() -> None:
    data, vectors = encounters(60), vectors_of(12)
    design = Design.of(data, pareto_scale(data.findings), vectors)
    columns, precision = columns_of(design, Covariance(0.1, 0.3))
    scores = leave_one_out(mode(data, columns, precision), columns, 1)
    everyone = np.arange(len(data))
    expected = [
        columns[i, 1:]
        @ mode(data.take(everyone != i), columns[everyone != i], precision).coefficients[1:]
        for i in everyone
    ]
    np.testing.assert_allclose(scores, expected, atol=0.02)
    assert np.std(expected) > 0.2


def test_one_step_scores_are_those_of_weighted_ridge_regression_without_the_encounter() -> None:
    data, vectors = encounters(40, 9), vectors_of(9)
    design = Design.of(data, pareto_scale(data.findings), vectors)
    found = one_step(design, 0.3)
    root, weight = design.root(0.3), design.null.curvature
    working = design.null.residuals / weight
    for place in (0, 4, 10):
        for i in (0, 7, 39):
            rest = np.arange(40) != i
            part = root[rest] * weight[rest, None]
            precision = np.eye(root.shape[1]) / 10 ** DECADES[place]
            solved = np.linalg.solve(part.T @ root[rest] + precision, part.T @ working[rest])
            assert found[place, i] == pytest.approx(root[i] @ solved, abs=1e-6)


@pytest.mark.parametrize("prior", [False, True])
def test_slopes_are_where_a_plain_optimizer_finds_them_and_never_negative(prior: bool) -> None:
    data = encounters(prior=prior)
    rng = np.random.default_rng(3)
    helpful = data.labels + rng.normal(size=len(data))
    scores = np.stack([helpful, -helpful])
    likelihood, found = with_slopes(scores, data)
    precision = np.append(data.precision, 0.5 * helpful.var())
    columns = np.column_stack([data.fixed, helpful])
    expected = mode(data, columns, precision)
    np.testing.assert_allclose(found[0], expected.coefficients, atol=1e-4)
    logits = expected.logits
    value = data.weights @ (data.labels * logits - np.logaddexp(0, logits))
    assert likelihood[0] == pytest.approx(value, abs=1e-4)
    assert found[1, -1] == 0
    without = mode(data, data.fixed, data.precision)
    np.testing.assert_allclose(found[1, :-1], without.coefficients, atol=1e-4)


def test_where_findings_tell_nothing_the_model_is_hardly_one() -> None:
    """Averaged over draws: the belief falls, and with it what findings move."""
    moved = {}
    for effect in (0.0, 3.0):
        lines = [
            bayesian_logistic.fit(encounters(150, seed=seed, effect=effect), None)
            for seed in range(8)
        ]
        moved[effect] = np.mean([np.abs(line.coefficients).max() for line in lines])
    assert moved[0.0] < 0.2 * moved[3.0]


def test_tokens_that_training_lacks_get_the_weight_of_their_like() -> None:
    data = encounters(400, effect=3.0)
    findings = data.findings.toarray()
    findings[:, 11] = 0
    vectors = np.eye(12)
    vectors[11] = vectors[0]
    data = TwoClasses(csr_array(findings), data.labels, data.weights)
    weights = bayesian_logistic.fit(data, vectors).coefficients
    assert weights[11] > 0.05
    assert bayesian_logistic.fit(data, None).coefficients[11] == 0


@pytest.mark.parametrize("learner", [bayesian_logistic, ridge_logistic])
@pytest.mark.parametrize("case", ["no findings", "all alike", "certain prior", "separable"])
def test_what_little_data_can_be_gives_finite_models(learner, case: str) -> None:
    data = encounters(12, 20, prior=case == "certain prior")
    if case == "certain prior":
        line = Line(np.full(20, 100.0), -500.0)
        data = TwoClasses(data.findings, data.labels, data.weights, line)
    if case in ("no findings", "all alike"):
        same = np.zeros((12, 20)) if case == "no findings" else np.ones((12, 20))
        data = TwoClasses(csr_array(same), data.labels, data.weights)
    if case == "separable":
        findings = csr_array(np.outer(data.labels, np.ones(20)))
        data = TwoClasses(findings, data.labels, data.weights)
    line, held = learner.cross_fit(data, np.arange(12) % 3, vectors_of(20))
    assert np.isfinite(line.coefficients).all()
    assert np.isfinite(line.intercept)
    assert np.isfinite(held).all()


def test_one_hot_vectors_say_nothing_that_tokens_do_not() -> None:
    data = encounters(200)
    design = Design.of(data, np.ones(12), np.eye(12))
    shares = [one_step(design, share) for share in (0.0, 0.6)]
    np.testing.assert_allclose(shares[0], shares[1], atol=1e-6)
    assert 0 <= choose(design).belief <= 1


def test_centred_vectors_leave_tokens_without_one_alone() -> None:
    vectors = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 6.0]])
    np.testing.assert_allclose(centred(vectors), [[-1, -2], [0, 0], [1, 2]])
    unit = of_mean_norm_one(centred(vectors), 3)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), [1, 0, 1])
    np.testing.assert_array_equal(of_mean_norm_one(None, 3), np.zeros((3, 1)))


@pytest.mark.parametrize("learner", [bayesian_logistic, ridge_logistic])
def test_held_out_scores_do_not_know_the_labels_of_their_fold(learner) -> None:
    data, vectors = encounters(90), vectors_of(12)
    folds = np.arange(90) % 3
    folds[::10] = -1
    held = learner.cross_fit(data, folds, vectors)[1]
    labels = np.where(folds == 1, 1 - data.labels, data.labels)
    changed = TwoClasses(data.findings, labels, data.weights)
    again = learner.cross_fit(changed, folds, vectors)[1]
    assert np.isnan(held[folds < 0]).all()
    assert np.isfinite(held[folds >= 0]).all()
    if learner is bayesian_logistic:
        np.testing.assert_allclose(again[folds == 1], held[folds == 1], atol=1e-9)
    assert np.abs(again[folds == 2] - held[folds == 2]).max() > 0.1


def scikit_learns(data: TwoClasses, variance: float) -> LogisticRegression:
    model = LogisticRegression(C=variance, tol=1e-10, max_iter=5000)
    return model.fit(data.findings.toarray(), data.labels, sample_weight=data.weights)


def held_out_by_scikit_learn(data: TwoClasses, folds: Any, variance: float) -> Any:
    """Log odds by models without the fold."""
    logits = np.full(len(data), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        out = folds == fold
        rest = data.take(~out)
        same_an_encounter = variance * data.weights.sum() / rest.weights.sum()
        model = scikit_learns(rest, same_an_encounter)
        logits[out] = model.decision_function(data.findings[out].toarray())
    return logits


def test_where_others_weigh_more_the_penalty_is_that_of_scikit_learns_cross_validation() -> None:
    data = encounters(150)
    folds = np.where(np.arange(150) < 60, np.arange(150) % 5, -1)
    paths = ridge_logistic.paths_of(data, folds, None, True)
    assert not paths.at_best_slope
    losses = []
    for place, variance in enumerate(penalties.VARIANCES):
        logits = held_out_by_scikit_learn(data, folds, variance)[:60]
        np.testing.assert_allclose(paths.logits[place, :60], logits, atol=2e-3)
        loss = np.logaddexp(0, logits) - data.labels[:60] * logits
        losses.append(data.weights[:60] @ loss)
    chosen = ridge_logistic.choose(paths, paths.judges)
    assert chosen == ridge_logistic.Chosen(int(np.argmin(losses)))
    assert_same(
        ridge_logistic.model(data, chosen, None),
        ridge_logistic.fit_with(data, chosen.variance, None),
        atol=1e-9,
    )


def test_penalties_are_compared_at_the_slope_that_fits_held_out_scores_best() -> None:
    """And the model has that slope; of what tokens add to the log odds of their mean."""
    data = encounters(150)
    folds = np.arange(150) % 5
    expected, honest = cross_validated_ridge(
        data.findings.toarray(), data.labels, folds, data.weights
    )
    line, held = ridge_logistic.cross_fit(data, folds, None)
    assert_same(line, Line(expected.coefficients, expected.intercept), atol=5e-3)
    np.testing.assert_allclose(expit(held), honest, atol=2e-3)


def test_many_encounters_choose_on_some_and_are_fitted_without_a_dense_matrix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, vectors = encounters(20_000, effect=1.0), vectors_of(12)
    dense = bayesian_logistic.fit(data, vectors).logits(data.findings)
    monkeypatch.setattr(bayesian_logistic, "MOST_DENSE", 100)
    sparse = bayesian_logistic.fit(data, vectors).logits(data.findings)
    slope, shift = np.polyfit(dense, sparse, 1)
    assert np.corrcoef(dense, sparse)[0, 1] > 0.9999
    assert slope == pytest.approx(1, abs=0.15)
    assert shift == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("prior", [False, True])
def test_modes_along_a_path_are_those_found_one_by_one(prior: bool) -> None:
    """Second derivatives that are kept cost steps, not exactness; nor do encounters of weight 0."""
    data = encounters(200, prior=prior).without(np.arange(200) % 5 == 0)
    columns, precision = columns_of(
        Design.of(data, np.ones(12), of_mean_norm_one(vectors_of(12), 12)), Covariance(1.0, 0.5)
    )
    near = None
    for variance in penalties.VARIANCES:
        weaker = np.append(precision[: 1 + prior], precision[1 + prior :] / variance)
        near = mode(data, columns, weaker, near)
        alone = mode(data, columns, weaker)
        np.testing.assert_allclose(near.logits, alone.logits, atol=1e-3)


def test_of_many_encounters_some_stand_for_all() -> None:
    data, folds = encounters(9000), np.where(np.arange(9000) % 30 == 0, np.arange(9000) % 7, -1)
    few, kept = penalties.thinned(data, folds)
    judged = kept >= 0
    np.testing.assert_array_equal(
        few.findings[judged].toarray(), data.findings[folds >= 0].toarray()
    )
    np.testing.assert_array_equal(few.weights[judged], data.weights[folds >= 0])
    assert len(few) == judged.sum() + penalties.MOST_ROWS_TO_CHOOSE
    others = data.weights[folds < 0].sum()
    assert few.weights[~judged].sum() == pytest.approx(others, rel=0.02)
