"""The simple classifiers against plain scikit-learn on dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from cell_data import from_source, predict, workbench
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from test_cells import SETTINGS, Site, target_site

from concept_transfer.errors import StudyError
from concept_transfer.models.baselines import (
    HISTOGRAM_FROM,
    INVERSE_PENALTIES,
    MIN_SAMPLES_LEAF,
    findings_matrix,
    fit_baseline,
)
from concept_transfer.training.block import Block
from concept_transfer.training.cells import Workbench

TOKENS = 12


def bench(learner: str, replicates: int = 1) -> Workbench:
    return workbench(Block(0, list(range(replicates))), learner=learner, tokens=TOKENS)


def dense(site: Site, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """0/1 matrix, one loop at a time."""
    matrix = np.zeros((len(rows), TOKENS))
    for i, row in enumerate(rows):
        for token in site.tokens[site.offsets[row] : site.offsets[row + 1]]:
            matrix[i, token] += 1
    return matrix


def logistic(penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, max_iter=1000)


def boosting(trees: int, rows: int) -> GradientBoostingClassifier | HistGradientBoostingClassifier:
    if rows < HISTOGRAM_FROM:
        return GradientBoostingClassifier(n_estimators=trees, max_features="sqrt", random_state=0)
    return HistGradientBoostingClassifier(
        max_iter=trees, min_samples_leaf=MIN_SAMPLES_LEAF, early_stopping=False, random_state=0
    )


def test_the_findings_matrix() -> None:
    site = target_site()
    rows = np.array([5, 0, 5, 119])
    found = findings_matrix(site.offsets, site.tokens, rows, TOKENS).toarray()
    assert np.array_equal(found, dense(site, rows))


def parts(site: Site) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return site.split.parts(0)


@pytest.mark.parametrize(
    ("classifier", "count"),
    [("logistic", 900), ("gradient_boosting", 900), ("gradient_boosting", 3800)],
)
def test_local_equals_scikit_learn_with_the_best_validation_loss(
    classifier: str, count: int
) -> None:
    """On every finding, also those that few encounters hold, at every number of encounters."""
    site = target_site(count=count)
    train, held, test = parts(site)
    y, truth = site.labels[train], site.labels[held]
    x, held_x, test_x = (dense(site, rows) for rows in (train, held, test))
    if classifier == "logistic":
        models = [logistic(penalty).fit(x, y) for penalty in INVERSE_PENALTIES]
        losses = [log_loss(truth, model.predict_proba(held_x)[:, 1]) for model in models]
        best = models[int(np.argmin(losses))]
    else:
        held_of_some = x.any(axis=0) & ~x.all(axis=0)
        x, held_x, test_x = (matrix[:, held_of_some] for matrix in (x, held_x, test_x))
        staged = boosting(100, len(y)).fit(x, y).staged_predict_proba(held_x)
        losses = [log_loss(truth, probability[:, 1]) for probability in staged]
        best = boosting(int(np.argmin(losses)) + 1, len(y)).fit(x, y)
    expected = best.predict_proba(test_x)[:, 1]
    predictions = predict(bench(classifier, 2), site, "local", "all", SETTINGS)
    for _, _, is_test, rows, probability in predictions._parts:
        if is_test:
            assert np.array_equal(rows, test)
            np.testing.assert_allclose(probability, expected, rtol=1e-4, atol=1e-5)
    assert [record["status"] for record in predictions.records] == ["ok", "ok"]


def test_few_positives_leave_the_default_penalty() -> None:
    labels = np.zeros(120, np.int8)
    labels[[1, 2, 4, 7, 11]] = 1
    site = target_site(labels=labels)
    train, _, test = parts(site)
    predictions = predict(bench("logistic"), site, "local", "all", SETTINGS)
    expected = logistic(0.1).fit(dense(site, train), labels[train])
    found = next(p for _, _, is_test, _, p in predictions._parts if is_test)
    np.testing.assert_allclose(
        found, expected.predict_proba(dense(site, test))[:, 1], rtol=1e-4, atol=1e-5
    )


def test_a_source_with_few_positives_leaves_the_default_penalty_too() -> None:
    labels = np.zeros(120, np.int8)
    labels[[1, 2, 4, 7, 11]] = 1
    site, source = target_site(), target_site("source", labels=labels)
    predictions = from_source(bench("logistic"), site, "direct", "0", SETTINGS, source)
    train, _ = source.split.source_parts()
    expected = logistic(0.1).fit(dense(source, train), labels[train])
    found = next(p for _, _, is_test, _, p in predictions._parts if is_test)
    truth = expected.predict_proba(dense(site, parts(site)[2]))[:, 1]
    np.testing.assert_allclose(found, truth, rtol=1e-4, atol=1e-5)


def test_direct_trains_on_the_source_alone() -> None:
    site, source = target_site(), target_site("source", 600, seed=1)
    train, held = source.split.source_parts()
    models = [
        logistic(penalty).fit(dense(source, train), source.labels[train])
        for penalty in INVERSE_PENALTIES
    ]
    losses = [
        log_loss(source.labels[held], m.predict_proba(dense(source, held))[:, 1]) for m in models
    ]
    expected = models[int(np.argmin(losses))].predict_proba(dense(site, parts(site)[2]))[:, 1]
    predictions = from_source(bench("logistic"), site, "direct", "0", SETTINGS, source)
    found = next(p for _, _, is_test, _, p in predictions._parts if is_test)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("balanced", [True, False])
def test_pooled_weighs_the_source_and_the_classes(balanced: bool) -> None:
    site, source = target_site(count=600), target_site("source", 600, seed=1)
    train, held, test = parts(site)
    offered = source.split.source_parts()[0]
    x = np.concatenate([dense(site, train), dense(source, offered)])
    y = np.concatenate([site.labels[train], source.labels[offered]])
    weights = np.concatenate([np.ones(len(train)), np.full(len(offered), 0.25)])
    if balanced:
        weights *= np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    models = [logistic(penalty).fit(x, y, sample_weight=weights) for penalty in INVERSE_PENALTIES]
    losses = [log_loss(site.labels[held], m.predict_proba(dense(site, held))[:, 1]) for m in models]
    expected = models[int(np.argmin(losses))].predict_proba(dense(site, test))[:, 1]
    weight = "balanced" if balanced else "none"
    settings = SETTINGS.model_copy(update={"class_weight": weight})
    pooled = {"kind": "pooled", "source_weight": 0.25}
    predictions = predict(bench("logistic"), site, pooled, "all", settings, source)
    found = next(p for _, _, is_test, _, p in predictions._parts if is_test)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classifier", ["logistic", "gradient_boosting"])
def test_a_draw_of_one_class_is_not_estimable(classifier: str) -> None:
    labels = np.zeros(120, np.int8)
    labels[[1, 2, 4, 7, 11]] = 1
    site = target_site(labels=labels)
    predictions = predict(bench(classifier, 6), site, "local", "10", SETTINGS)
    statuses = [record["status"] for record in predictions.records]
    assert {"not estimable", "ok"} == set(statuses)
    for replicate, _, _, _, probability in predictions._parts:
        assert np.isnan(probability).all() == (statuses[replicate] == "not estimable")


def test_boosting_without_a_finding_that_splits_predicts_the_prevalence() -> None:
    empty = findings_matrix(np.zeros(41, np.int64), np.zeros(0, np.int32), np.arange(40), TOKENS)
    labels = (np.arange(40) % 4 == 0).astype(np.int8)
    model = fit_baseline(
        "gradient_boosting", empty, labels, np.ones(40), empty[:0], labels[:0], False
    )
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
        train, test, labels = csr_matrix(x[:rows]), csr_matrix(x[rows:]), y[rows:]
        own = fit_baseline(
            "gradient_boosting", train, y[:rows], np.ones(rows), train[:0], y[:0], False
        ).predict_proba(test)[:, 1]
        plain = GradientBoostingClassifier(random_state=0).fit(x[:rows], y[:rows])
        other = plain.predict_proba(x[rows:])[:, 1]
        areas = (roc_auc_score(labels, own), roc_auc_score(labels, other))
        found.append((*areas, log_loss(labels, own), log_loss(labels, other)))
    area, plain_area, loss, plain_loss = np.mean(found, axis=0)
    assert area > max(0.55, plain_area - 0.03)
    assert loss < min(1.0, plain_loss + 0.1)


def test_boosting_uses_a_finding_that_few_rows_hold() -> None:
    labels = np.zeros(200, np.int8)
    labels[:8] = 1
    x = np.zeros((200, 4))
    x[:6, 0] = x[::2, 1] = x[::3, 2] = x[::5, 3] = 1
    train = csr_matrix(x)
    model = fit_baseline(
        "gradient_boosting", train, labels, np.ones(200), train[:0], labels[:0], False
    )
    risks = model.predict_proba(csr_matrix(np.eye(4)))[:, 1]
    assert risks[0] > 3 * risks[1:].max()


def test_an_unknown_classifier_is_named() -> None:
    matrix = findings_matrix(np.array([0, 1]), np.array([0], np.int32), np.arange(1), 2)
    with pytest.raises(StudyError, match=r"'forest'.*logistic"):
        fit_baseline("forest", matrix, np.zeros(1, np.int8), np.ones(1), matrix, np.zeros(1), True)
