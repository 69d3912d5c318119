"""The simple classifiers against plain scikit-learn on dense matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cell_data import from_source, predict, workbench
from encoder_data import history_of_findings
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ridge_reference import cross_validated_ridge
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from test_cells import SETTINGS, Site
from test_cells import target_site as site_with_repetitions

from concept_transfer.cohorts.cross_fitting import fold_numbers
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.inputs.text import Texts
from concept_transfer.models import boosting as boosting_module
from concept_transfer.models.baselines import Classifier, Examples, losses
from concept_transfer.models.boosting import (
    HISTOGRAM_FROM,
    MIN_SAMPLES_LEAF,
    fit_boosting,
)
from concept_transfer.models.multinomial import Classes, Multinomial, fit
from concept_transfer.training.block import Block
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.work import Workbench

TOKENS = 12


def bench(learner: str, replicates: int = 1) -> Workbench:
    return workbench(Block(0, list(range(replicates))), learner=learner, tokens=TOKENS)


def target_site(*arguments: Any, **options: Any) -> Site:
    """As sites are: no encounter repeats a token."""
    site = site_with_repetitions(*arguments, **options)
    held = [np.unique(row) for row in site.inputs["findings"]]
    offsets = np.cumsum([0, *map(len, held)])
    findings = CompressedRows(offsets, np.concatenate(held))
    history = history_of_findings(findings, TOKENS)
    texts = Texts.of([" ".join(f"word{token}" for token in row) for row in findings])
    return replace(site, inputs={"findings": findings, "history": history, "text": texts})


def dense(site: Site, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """0/1 matrix, one loop at a time."""
    matrix = np.zeros((len(rows), TOKENS))
    for i, row in enumerate(rows):
        for token in site.inputs["findings"][row]:
            matrix[i, token] += 1
    return matrix


def logistic(penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, tol=1e-8, max_iter=5000)


def boosting(trees: int, rows: int) -> GradientBoostingClassifier | HistGradientBoostingClassifier:
    if rows < HISTOGRAM_FROM:
        return GradientBoostingClassifier(
            n_estimators=trees, learning_rate=0.2, max_features="sqrt", random_state=0
        )
    return HistGradientBoostingClassifier(
        learning_rate=0.2,
        max_iter=trees,
        min_samples_leaf=MIN_SAMPLES_LEAF,
        early_stopping=False,
        random_state=0,
    )


def boosted(train: csr_array, labels: NDArray[np.int8], classes: int = 2) -> Classifier:
    """As many trees as are usual."""
    return fit_boosting(Examples(train, labels), np.ones(len(labels)), classes)[
        boosting_module.USUAL
    ]


def test_the_findings_matrix() -> None:
    site = target_site()
    rows = np.array([5, 0, 5, 119])
    found = site.inputs["findings"].select(rows).matrix(TOKENS).toarray()
    assert np.array_equal(found, dense(site, rows))


def parts(site: Site) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return site.split.parts(0)


def labelled(site: Site) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The site's own rows that no fold tests, and their folds."""
    rows = np.concatenate(parts(site)[:2])
    return rows, fold_numbers(site.cohort, rows[None])[0]


Fits = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], list[Any]]


def grown(
    x: NDArray[np.float64], y: NDArray[np.int8], weights: NDArray[np.float64]
) -> list[Pipeline]:
    """Boosting with several numbers of trees, on the findings that some of the rows hold."""
    some = np.flatnonzero(x.any(axis=0) & ~x.all(axis=0))
    chosen = ColumnTransformer([("some", "passthrough", some)])
    return [
        make_pipeline(chosen, boosting(count, len(y))).fit(x, y) for count in boosting_module.TREES
    ]


def cross_validated(
    fit: Fits,
    x: NDArray[np.float64],
    y: NDArray[np.int8],
    folds: NDArray[np.int64],
    weights: NDArray[np.float64] | None = None,
) -> tuple[Any, NDArray[np.float64]]:
    """The model with the least loss on folds it has not seen, fitted on all; and probabilities
    [n] of the first rows, those with a fold, each chosen by the losses of the other folds."""
    weights = np.ones(len(y)) if weights is None else weights
    fold = np.concatenate([folds, np.full(len(y) - len(folds), -1)])
    held: Any = None
    for number in set(folds):
        rest = fold != number
        models = fit(x[rest], y[rest], weights[rest])
        held = np.zeros((len(models), len(folds))) if held is None else held
        for own, model in zip(held, models, strict=True):
            own[folds == number] = model.predict_proba(x[~rest])[:, 1]
    truth = y[: len(folds)]
    best = np.argmin([log_loss(truth, own) for own in held])
    honest = np.zeros(len(folds))
    for number in set(folds):
        others = folds != number
        chosen = np.argmin([log_loss(truth[others], own[others]) for own in held])
        honest[~others] = held[chosen][~others]
    return fit(x, y, weights)[best], honest


def of(predictions: Predictions, partition: str) -> dict[int, NDArray[np.float32]]:
    """Replicate -> probabilities of a partition, in the order of the rows."""
    return {
        r: p[np.argsort(rows)] for r, _, part, rows, p in predictions._parts if part == partition
    }


@pytest.mark.parametrize(
    ("classifier", "reference", "count"),
    [
        ("logistic", cross_validated_ridge, 900),
        ("gradient_boosting", partial(cross_validated, grown), 900),
        ("gradient_boosting", partial(cross_validated, grown), 4800),
    ],
    ids=["logistic-900", "gradient_boosting-900", "gradient_boosting-4800"],
)
def test_local_equals_scikit_learn_with_the_best_loss_on_other_folds(
    classifier: str, reference: Any, count: int
) -> None:
    """On every finding, also those that few encounters hold, at every number of encounters; and
    every labelled encounter is judged by models that have not seen its fold."""
    site = target_site(count=count)
    rows, folds = labelled(site)
    order = np.argsort(rows)
    rows, folds = rows[order], folds[order]
    best, honest = reference(dense(site, rows), site.labels[rows], folds)
    train, held, test = parts(site)
    predictions = predict(bench(classifier, 2), site, "local", "all", SETTINGS)
    for partition, own, expected in (
        ("test", test, best.predict_proba(dense(site, test))[:, 1]),
        ("train", train, honest[np.isin(rows, train)]),
        ("validation", held, honest[np.isin(rows, held)]),
    ):
        found = of(predictions, partition)
        assert found.keys() == {0, 1}
        assert all(len(each) == len(own) for each in found.values())
        for each in found.values():
            np.testing.assert_allclose(each, expected, rtol=1e-4, atol=1e-4)
    assert [record["status"] for record in predictions.records] == ["ok", "ok"]
    assert [record["train"] for record in predictions.records] == [len(rows)] * 2


def few_positives() -> NDArray[np.int8]:
    labels = np.zeros(120, np.int8)
    labels[[1, 2, 4, 7]] = 1
    return labels


def test_few_positives_leave_the_usual_number_of_trees() -> None:
    site = target_site(labels=few_positives())
    rows = np.sort(labelled(site)[0])
    predictions = predict(bench("gradient_boosting"), site, "local", "all", SETTINGS)
    expected = boosted(csr_array(dense(site, rows)), site.labels[rows])
    truth = expected.predict_proba(csr_array(dense(site, parts(site)[2])))[:, 1]
    np.testing.assert_allclose(of(predictions, "test")[0], truth, rtol=1e-6)


def test_a_source_with_few_positives_leaves_the_usual_number_of_trees_too() -> None:
    site, source = target_site(), target_site("source", labels=few_positives())
    predictions = from_source(bench("gradient_boosting"), site, "direct", "0", SETTINGS, source)
    rows = np.sort(np.concatenate(source.split.source_parts()))
    expected = boosted(csr_array(dense(source, rows)), source.labels[rows])
    truth = expected.predict_proba(csr_array(dense(site, parts(site)[2])))[:, 1]
    np.testing.assert_allclose(of(predictions, "test")[0], truth, rtol=1e-6)


def test_direct_trains_on_the_source_alone() -> None:
    site, source = target_site(), target_site("source", 600, seed=1)
    rows = np.concatenate(source.split.source_parts())
    folds = fold_numbers(source.cohort, rows[None])[0]
    best, honest = cross_validated_ridge(dense(source, rows), source.labels[rows], folds)
    predictions = from_source(bench("logistic"), site, "direct", "0", SETTINGS, source)
    for partition, own in zip(("train", "validation", "test"), parts(site), strict=True):
        expected = best.predict_proba(dense(site, own))[:, 1]
        np.testing.assert_allclose(of(predictions, partition)[0], expected, rtol=1e-4, atol=1e-5)
    held = len(source.split.source_parts()[1])
    area = roc_auc_score(source.labels[rows][-held:], honest[-held:])
    assert predictions.records[0]["source_auroc"] == pytest.approx(area, abs=1e-3)


@pytest.mark.parametrize("balanced", [True, False])
def test_pooled_weighs_the_source_and_the_classes(balanced: bool) -> None:
    site, source = target_site(count=600), target_site("source", 600, seed=1)
    rows, folds = labelled(site)
    offered = source.split.source_parts()[0]
    x = np.concatenate([dense(site, rows), dense(source, offered)])
    y = np.concatenate([site.labels[rows], source.labels[offered]])
    weights = np.concatenate([np.ones(len(rows)), np.full(len(offered), 0.25)])

    if balanced:
        weights *= np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    best, _ = cross_validated_ridge(x, y, folds, weights)
    expected = best.predict_proba(dense(site, parts(site)[2]))[:, 1]
    weight = "balanced" if balanced else "none"
    training = SETTINGS.model_copy(update={"class_weight": weight})
    pooled = {"kind": "pooled", "source_weight": 0.25}
    predictions = predict(bench("logistic"), site, pooled, "all", training, source)
    np.testing.assert_allclose(of(predictions, "test")[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classifier", ["logistic", "gradient_boosting"])
def test_a_draw_of_one_class_is_not_estimable(classifier: str) -> None:
    site = target_site(labels=few_positives())
    predictions = predict(bench(classifier, 6), site, "local", "10", SETTINGS)
    statuses = [record["status"] for record in predictions.records]
    assert {"not estimable", "ok"} == set(statuses)
    for replicate, _, _, _, probability in predictions._parts:
        assert np.isnan(probability).all() == (statuses[replicate] == "not estimable")


def test_boosting_without_a_finding_that_splits_predicts_the_prevalence() -> None:
    empty = csr_array((40, TOKENS))
    labels = (np.arange(40) % 4 == 0).astype(np.int8)
    model = boosted(empty, labels)
    np.testing.assert_allclose(model.predict_proba(empty)[:, 1], 0.25, atol=1e-6)


@pytest.mark.parametrize("rows", [20, 60, 200])
def test_boosting_on_few_rows_is_no_worse_than_plain_gradient_boosting(rows: int) -> None:
    """Sixty findings, four of which tell; means over five draws of rows, 1,000 more test."""
    rng = np.random.default_rng(rows)
    found: list[tuple[float, float, float, float]] = []
    for _ in range(5):
        x = (rng.random((rows + 1000, 60)) < 0.3).astype(np.float64)
        margin = 2.5 * (x[:, 0] + x[:, 1] - x[:, 2] - x[:, 3]) - 0.5
        y = (rng.random(len(x)) < 1 / (1 + np.exp(-margin))).astype(np.int8)
        train, test, labels = csr_array(x[:rows]), csr_array(x[rows:]), y[rows:]
        own = boosted(train, y[:rows]).predict_proba(test)[:, 1]
        plain = GradientBoostingClassifier(random_state=0).fit(x[:rows], y[:rows])
        other = plain.predict_proba(x[rows:])[:, 1]
        areas = (roc_auc_score(labels, own), roc_auc_score(labels, other))
        found.append((*areas, log_loss(labels, own), log_loss(labels, other)))
    area, plain_area, loss, plain_loss = np.mean(found, axis=0)
    assert area > max(0.54, plain_area - 0.03)
    assert loss < min(1.0, plain_loss + 0.1)


def test_boosting_uses_a_finding_that_few_rows_hold() -> None:
    labels = np.zeros(200, np.int8)
    labels[:8] = 1
    x = np.zeros((200, 4))
    x[:6, 0] = x[::2, 1] = x[::3, 2] = x[::5, 3] = 1
    train = csr_array(x)
    model = boosted(train, labels)
    risks = model.predict_proba(csr_array(np.eye(4)))[:, 1]
    assert risks[0] > 3 * risks[1:].max()


def random_examples(rows: int, classes: int, seed: int, tokens: int = 25) -> Examples:
    """The first tokens tell the class."""
    rng = np.random.default_rng(seed)
    x = (rng.random((rows, tokens)) < 0.35).astype(np.float64)
    score = 2 * x[:, :classes] + rng.gumbel(size=(rows, classes))
    return Examples(csr_array(x), score.argmax(1).astype(np.int8))


def without(examples: Examples, absent: int | None) -> Examples:
    kept = np.flatnonzero(examples.labels != absent)
    return Examples(examples.findings[kept], examples.labels[kept])


CLASSES = pytest.mark.parametrize(("classes", "absent"), [(2, None), (4, None), (4, 1), (3, 0)])


@CLASSES
@pytest.mark.parametrize("rows", [400, 4000])
def test_our_trees_predict_what_scikit_learn_predicts(
    rows: int, classes: int, absent: int | None
) -> None:
    train = without(random_examples(rows, classes, 1), absent)
    test = random_examples(500, classes, 3).findings
    weights = np.random.default_rng(4).uniform(0.5, 2, len(train))
    models = fit_boosting(train, weights, classes)
    theirs = boosting(50, len(train))
    theirs.fit(train.findings.toarray(), train.labels, sample_weight=weights)
    staged = list(theirs.staged_predict_proba(test.toarray()))
    for count, model in zip(boosting_module.TREES, models, strict=True):
        expected = np.zeros((500, classes))
        expected[:, theirs.classes_] = staged[count - 1]
        np.testing.assert_allclose(model.predict_proba(test), expected, rtol=0, atol=1e-12)
    together = models.predict_all(test)
    for each, model in zip(together, models, strict=True):
        np.testing.assert_allclose(each, model.predict_proba(test), rtol=0, atol=1e-12)


def fit_multinomial(train: Examples, weights: NDArray[np.float64], classes: int) -> Multinomial:
    return fit(Classes(train.findings, train.labels, weights, classes), 0.1)


@CLASSES
@pytest.mark.parametrize("variance", [0.003, 1.0])
def test_our_multinomial_regression_predicts_what_scikit_learn_predicts(
    variance: float, classes: int, absent: int | None
) -> None:
    train = without(random_examples(300, classes, 1), absent)
    test = random_examples(200, classes, 3).findings
    weights = np.random.default_rng(4).uniform(0.5, 2, len(train))
    found = fit(Classes(train.findings, train.labels, weights, classes), variance)
    alone = 2 if len(np.unique(train.labels)) == 2 else 1  # one line in place of two opposite ones
    theirs = logistic(alone * variance)
    theirs.fit(train.findings, train.labels, sample_weight=weights)
    expected = np.zeros((200, classes))
    expected[:, theirs.classes_] = theirs.predict_proba(test)
    np.testing.assert_allclose(found.predict_proba(test), expected, rtol=0, atol=2e-3)


@CLASSES
def test_a_model_is_its_arrays(classes: int, absent: int | None, tmp_path: Path) -> None:
    """Written as a plain file of arrays and read again, it predicts the same."""
    train = without(random_examples(300, classes, 1), absent)
    boosting = fit_boosting(train, np.ones(len(train)), classes)[-1]
    for model in (boosting, fit_multinomial(train, np.ones(len(train)), classes)):
        np.savez(tmp_path / "model.npz", **model.arrays())
        with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
            read = type(model).from_arrays(dict(arrays))
        found, expected = (each.predict_proba(train.findings) for each in (read, model))
        assert np.array_equal(found, expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 60), st.integers(1, 6), st.integers(2, 4), st.integers(0, 10**6))
def test_trees_of_any_rows_predict_what_scikit_learn_predicts(
    rows: int, tokens: int, classes: int, seed: int
) -> None:
    """Also trees without a split, of few rows and of findings that all hold or none does."""
    rng = np.random.default_rng(seed)
    x = (rng.random((rows, tokens)) < rng.choice([0.0, 0.3, 1.0], tokens)).astype(np.float64)
    y = np.concatenate([[0, 1], rng.integers(0, classes, rows - 2)]).astype(np.int8)
    model = boosted(csr_array(x), y, classes)
    split = x.any(axis=0) & ~x.all(axis=0)
    columns = np.flatnonzero(split) if split.any() else np.arange(1)
    usual = boosting_module.TREES[boosting_module.USUAL]
    theirs = boosting(usual, rows).fit(x[:, columns], y)
    expected = np.zeros((rows, classes))
    expected[:, theirs.classes_] = theirs.predict_proba(x[:, columns])
    found = model.predict_proba(csr_array(x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_large_sites_are_predicted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    train = random_examples(300, 3, 1)
    model = fit_boosting(train, np.ones(300), 3)[0]
    whole = model.predict_proba(train.findings)
    monkeypatch.setattr("concept_transfer.models.trees.NUMBERS_AT_ONCE", 500)
    assert np.array_equal(model.predict_proba(train.findings), whole)
    assert model.predict_proba(train.findings[:0]).shape == (0, 3)


def test_a_class_that_training_did_not_know_has_no_chance_and_a_finite_loss() -> None:
    train = without(random_examples(300, 3, 1), 2)
    model = fit_multinomial(train, np.ones(len(train)), 3)
    probability = model.predict_proba(train.findings)
    assert not probability[:, 2].any()
    np.testing.assert_allclose(probability.sum(1), 1)
    assert np.isfinite(losses(probability, np.full(len(train), 2, np.int8))).all()
