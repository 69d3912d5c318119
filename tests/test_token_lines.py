"""Learners that are linear in tokens, through families and the loop of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cell_data import predict, workbench
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsRestClassifier
from test_cells import BLOCK, SETTINGS, TOKENS, VECTORS, Site, target_site

from concept_transfer.cohorts.budget import Budget, same_for_all
from concept_transfer.learners.learner import CrossFitted
from concept_transfer.models.baselines import Examples
from concept_transfer.models.multinomial import Classes, Multinomial
from concept_transfer.models.multinomial import cross_fit as cross_fit_classes
from concept_transfer.models.one_vs_rest import cross_fit_all
from concept_transfer.models.ridge_logistic import fit_with
from concept_transfer.models.token_scores import Line, TokenScores
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import Part, Plan, Situation
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import Workbench

VECTORS_OF = {"gaussian_process": VECTORS, "embedding_logistic": VECTORS, "logistic": None}
LEARNERS = tuple(VECTORS_OF)


def bench_of(learner: str, **options: Any) -> Workbench:
    vectors = options.pop("vectors", VECTORS_OF[learner])
    return workbench(BLOCK, vectors, learner, TOKENS, **options)


def cross_fit(
    learner: str, site: Site, rows: NDArray[np.int64], start: Any = None, **options: Any
) -> CrossFitted:
    """Rows [R, n], dealt to four folds."""
    bench = bench_of(learner, **options)
    folds = np.broadcast_to(np.arange(rows.shape[1]) % 4, rows.shape)
    empty = Part(site, rows[:, :0])
    plan = Plan((Part(site, rows),), empty, start)
    return bench.everyone().cross_fit(plan, SETTINGS, folds)


def draws(site: Site, count: int) -> NDArray[np.int64]:
    pool = np.flatnonzero(site.split.fold < 0)
    return np.stack([np.random.default_rng(i).permutation(pool)[:count] for i in range(3)])


@pytest.mark.parametrize("learner", LEARNERS)
def test_held_out_predictions_are_those_of_models_without_the_fold(learner: str) -> None:
    site = target_site(count=300)
    rows = draws(site, 80)
    found = cross_fit(learner, site, rows)
    assert found.held.shape == (3, 80, 2)
    np.testing.assert_allclose(found.held.sum(axis=2), 1)
    labels = site.labels[rows[0]]
    assert log_loss(labels, found.held[0]) < 0.9 * log_loss(labels, np.full(80, labels.mean()))
    if learner == "gaussian_process":
        rest = np.arange(80) % 4 != 2
        bench = bench_of(learner).everyone()
        models = cross_fit(learner, site, rows[:, rest]).fitted.models
        expected = bench.predict(models, site, rows[1])[1][~rest]
        np.testing.assert_allclose(found.held[1][~rest], expected, atol=1e-9)


@pytest.mark.parametrize("learner", LEARNERS)
def test_replicates_that_share_rows_and_vectors_are_fitted_once(learner: str) -> None:
    site = target_site(count=150)
    rows = same_for_all(np.flatnonzero(site.split.fold < 0), 3)
    assert cross_fit(learner, site, rows).fitted.models.of == (0, 0, 0)
    tables = np.random.default_rng(0).normal(size=(3, TOKENS, 5)).astype(np.float32)
    found = cross_fit(learner, site, rows, vectors=tables)
    assert found.fitted.models.of == (0, 1, 2)
    assert np.abs(found.held[0] - found.held[1]).max() > 1e-4


def test_where_a_fold_leaves_one_class_nothing_is_known() -> None:
    labels = np.zeros(120, np.int8)
    site = target_site(labels=labels)
    pool = np.flatnonzero(site.split.fold < 0)[:40]
    labels[pool[5]] = 1
    found = cross_fit("gaussian_process", site, same_for_all(pool, 3))
    unknown = np.arange(40) % 4 == 1
    assert np.isnan(found.held[:, unknown]).all()
    assert np.isfinite(found.held[:, ~unknown]).all()


def test_source_encounters_train_and_are_not_held_out() -> None:
    site, source = target_site(count=150), target_site("source", 300, seed=5)
    rows = draws(site, 40)
    others = same_for_all(np.arange(200), 3)
    folds = np.broadcast_to(np.arange(40) % 4, rows.shape)
    bench = workbench(BLOCK, VECTORS, "embedding_logistic").everyone()
    both = Plan((Part(site, rows), Part(source, others)), Part(site, rows[:, :0]))
    found = bench.cross_fit(both, SETTINGS, folds)
    assert found.held.shape == (3, 40, 2)
    alone = cross_fit("embedding_logistic", site, rows)
    truth = np.concatenate(site.labels[rows])
    losses = [log_loss(truth, np.concatenate(each.held)) for each in (found, alone)]
    assert losses[0] < losses[1]


@pytest.mark.parametrize("learner", LEARNERS)
def test_more_than_two_classes_are_told_apart(learner: str) -> None:
    site = target_site(count=600)
    findings = site.inputs["findings"].select(np.arange(600)).matrix(TOKENS).toarray()
    labels = np.where(findings[:, 0] > 0, 1, np.where(findings[:, 1] > 0, 2, 0)).astype(np.int8)
    site = target_site(count=600, labels=labels)
    rows = same_for_all(np.flatnonzero(site.split.fold < 0), 3)
    found = cross_fit(learner, site, rows, classes=4)
    held, truth = found.held[0], labels[rows[0]]
    np.testing.assert_allclose(held.sum(axis=1), 1)
    assert (held[:, 3] == 0).all()
    assert (held.argmax(axis=1) == truth).mean() > 0.9


def test_probabilities_of_many_classes_are_those_of_scikit_learns_one_vs_rest() -> None:
    rng = np.random.default_rng(0)
    findings = (rng.random((200, 6)) < 0.4).astype(float)
    labels = rng.integers(3, size=200).astype(np.int8)
    examples = Examples(csr_array(findings), labels)
    none = np.full(200, -1)
    found, held = cross_fit_all(
        lambda data, folds: (fit_with(data, 0.5, None), np.zeros(200)),
        examples,
        np.ones(200),
        none,
        3,
        None,
    )
    assert np.isnan(held).all()
    reference = OneVsRestClassifier(LogisticRegression(C=0.5, tol=1e-8)).fit(findings, labels)
    np.testing.assert_allclose(
        found.predict_proba(csr_array(findings)), reference.predict_proba(findings), atol=1e-4
    )


def test_many_classes_at_once_keep_what_the_source_alone_knows() -> None:
    """A source whose scores are doubled and shifted is undone; a class that the target lacks keeps
    its place, and one that the source lacks is learned."""
    rng = np.random.default_rng(0)
    findings = csr_array((rng.random((4000, 6)) < 0.4).astype(float))
    right = Multinomial(rng.normal(size=(3, 6)), np.zeros(3))
    risks = right.predict_proba(findings)
    labels = (rng.random((4000, 1)) > risks.cumsum(axis=1)).sum(axis=1).astype(np.int8)
    wrong = Multinomial(2 * right.coefficients, np.array([0.0, 2.0, -2.0]))

    def tuned(rows: NDArray[np.int64], prior: Multinomial) -> NDArray[np.float64]:
        data = Classes(findings[rows], labels[rows], np.ones(len(rows)), 3, prior)
        model, held = cross_fit_classes(data, np.arange(len(rows)) % 4)
        found = model.predict_proba(findings)
        assert np.abs(held - found[rows]).max() < 0.2
        return found

    assert np.abs(tuned(np.arange(300), wrong) - risks).mean() < 0.04
    lacking = np.flatnonzero(labels != 2)[:300]
    found, given = tuned(lacking, right), right.predict_proba(findings)
    kept = found[:, 2] / found[:, :2].sum(axis=1)
    expected = given[:, 2] / given[:, :2].sum(axis=1)
    assert np.corrcoef(np.log(kept), np.log(expected))[0, 1] > 0.9
    unknowing = Multinomial(right.coefficients, np.array([0.0, 0.0, -np.inf]))
    found = tuned(np.arange(2000), unknowing)
    assert np.abs(found[:, 2] - risks[:, 2]).mean() < 0.05


def through_the_loop(learner: str, strategy: str, site: Site, source: Site) -> NDArray[np.float64]:
    bench = bench_of(learner)
    handed_on = train_source(source, bench, SETTINGS)
    size = "0" if strategy == "direct" else "60"
    found = predict(bench, site, strategy, size, SETTINGS, source, handed_on)
    return np.stack([found.tested(i)[1] for i in range(3)])


@pytest.mark.parametrize("learner", LEARNERS)
def test_prior_is_the_source_where_the_target_is_like_it(learner: str) -> None:
    """And with a handful of labels far closer to it than what these teach alone."""
    site, source = target_site(count=400), target_site("source", 2000, seed=1)
    direct, prior, local = (
        through_the_loop(learner, strategy, site, source)
        for strategy in ("direct", "prior", "local")
    )
    assert np.abs(prior - direct).mean() < 0.5 * np.abs(local - direct).mean()


@pytest.mark.parametrize("learner", LEARNERS)
def test_prior_recalibrates_a_source_whose_odds_are_wrong(learner: str) -> None:
    """A source with half the log odds and another prevalence."""
    site = target_site(count=2000)
    rows = same_for_all(np.flatnonzero(site.split.fold < 0), 3)
    bench = bench_of(learner).everyone()
    right = cross_fit(learner, site, rows).fitted.models
    line = right.models[0].line(0)
    wrong = TokenScores.of([Line(line.coefficients / 2, line.intercept / 2 - 2)])
    start = type(right)((wrong,), (0, 0, 0))
    found = cross_fit(learner, site, rows, start).fitted.models
    test = site.split.parts(0)[2]
    expected, before, after = (
        bench.predict(models, site, test)[0, :, 1] for models in (right, start, found)
    )
    assert np.abs(after - expected).mean() < 0.2 * np.abs(before - expected).mean()


def test_a_class_that_the_target_lacks_keeps_the_line_of_the_source() -> None:
    labels = (np.arange(300) % 3).astype(np.int8)
    source = target_site("source", 300, labels=labels)
    bench = workbench(BLOCK, VECTORS, "gaussian_process", classes=3)
    handed_on = train_source(source, bench, SETTINGS)
    site = target_site(labels=(np.arange(120) % 2).astype(np.int8))
    rows = draws(site, 50)
    found = cross_fit("gaussian_process", site, rows, handed_on.models, classes=3)
    kept, given = found.fitted.models.models[0], handed_on.models.models[0]
    np.testing.assert_array_equal(kept.coefficients[2], given.coefficients[2])
    assert kept.intercepts[2] == given.intercepts[2]


def test_the_plan_of_prior_starts_from_the_handed_on_model() -> None:
    strategy, site = STRATEGIES["prior"], target_site()
    budget = Budget(np.array([[1, 2]]), np.array([[4]]))
    settings = strategy.settings.model_validate({"kind": "prior"})
    plan = strategy.plan(Situation(settings, site, budget, None, "model"))
    assert plan.start == "model"
    assert [part.rows.tolist() for part in plan.train] == [[[1, 2]]]
    assert plan.validation is not None
    assert strategy.tunes
