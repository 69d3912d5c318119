"""Combinations of models: pools, their weights, and the cells that are made of other cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from sklearn.metrics import roc_auc_score

from concept_transfer.cell import Cell
from concept_transfer.cohorts.budget import draw_budget
from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import NEVER_TESTED, split_table
from concept_transfer.combining.candidates import Candidate, read_candidate
from concept_transfer.combining.combined import POWER, Combine, combined_cell, without_choice
from concept_transfer.combining.pool import Labelled, Pool, log_probabilities
from concept_transfer.combining.stacking import stacked
from concept_transfer.combining.weights import (
    SLOPE,
    TEMPER,
    bootstrapped_weights,
    log_scores,
    recalibrated,
    stretched,
    weighted_by_evidence,
)
from concept_transfer.evaluation.calibration import recalibration
from concept_transfer.models.score_regression import INTERCEPT, Regression
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block
from concept_transfer.training.predictions import Predictions

METHODS = [weighted_by_evidence, stacked]
BLOCK = Block(1, [0, 1])
KEY = 7


def rng() -> np.random.Generator:
    return np.random.default_rng(KEY)


def examples(
    count: int, noises: tuple[float, ...], classes: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels [n], and scores [models, n, classes] of models that are the truth with noise added."""
    random = np.random.default_rng(seed)
    truth = 1.5 * random.normal(size=(count, classes))
    labels = (truth + random.gumbel(size=truth.shape)).argmax(axis=1).astype(np.int8)
    noise = random.normal(size=(len(noises), count, classes)) * np.array(noises)[:, None, None]
    return labels, log_softmax(truth + noise, axis=2)


def labelled(labels: np.ndarray, scores: np.ndarray) -> Labelled:
    return Labelled(scores, labels, np.arange(len(labels)))


def objective(regression: Regression, batch: int, found: np.ndarray) -> float:
    """Minus the log posterior of one regression, summed encounter by encounter."""
    classes = regression.features.shape[2]
    total = INTERCEPT / 2 * (found[:classes] ** 2).sum()
    total += regression.precision / 2 * ((found[classes:] - regression.centre) ** 2).sum()
    for features, label in zip(regression.features[batch], regression.labels, strict=True):
        scores = found[:classes] + features @ found[classes:]
        total -= scores[label] - np.log(np.exp(scores).sum())
    return float(total)


@given(
    seed=st.integers(0, 10**6),
    classes=st.integers(2, 4),
    terms=st.integers(1, 5),
    precision=st.sampled_from([0.01, 1.0, 100.0]),
    scale=st.sampled_from([0.1, 1.0, 10.0]),
)
@settings(max_examples=25, deadline=None)
def test_the_regression_finds_what_a_general_optimizer_finds(
    seed: int, classes: int, terms: int, precision: float, scale: float
) -> None:
    random = np.random.default_rng(seed)
    regression = Regression(
        scale * random.normal(size=(2, 20, classes, terms)),
        random.integers(classes, size=20).astype(np.int8),
        random.random(terms),
        precision,
    )
    intercepts, coefficients = regression.fit()
    assert (coefficients >= 0).all()
    bounds = [(None, None)] * classes + [(0, None)] * terms
    for batch in range(2):
        found = np.concatenate([intercepts[batch], coefficients[batch]])
        rival = minimize(
            lambda x, batch=batch: objective(regression, batch, x),
            np.zeros(classes + terms),
            bounds=bounds,
            method="L-BFGS-B",
            options={"maxiter": 500},
        )
        assert objective(regression, batch, found) <= rival.fun + 1e-4


def test_a_model_that_says_the_opposite_gets_no_weight() -> None:
    labels, scores = examples(400, (0.3,))
    turned = np.concatenate([scores, log_softmax(-scores, axis=2)])
    slopes, _ = recalibrated(labelled(labels, turned))
    assert slopes[1] == 0
    assert stacked(labelled(labels, turned), rng()).weights[1] == pytest.approx(0, abs=1e-3)


def test_recalibration_takes_back_what_was_done_to_a_model() -> None:
    labels, scores = examples(20_000, (0.0,))
    moved = log_softmax(1.25 * scores + np.array([0.0, 0.7]), axis=2)
    (slope,), (intercept,) = recalibrated(labelled(labels, moved))
    assert slope == pytest.approx(0.8, abs=0.03)
    assert intercept[1] - intercept[0] == pytest.approx(-0.7 * 0.8, abs=0.05)


def test_without_labels_enough_recalibration_changes_little() -> None:
    labels, scores = examples(4, (0.0,))
    (slope,), (intercept,) = recalibrated(labelled(labels, scores))
    assert abs(slope - 1) < 2 / np.sqrt(SLOPE)
    assert np.abs(intercept).max() < 1


def test_weights_are_those_of_a_plain_bayesian_bootstrap() -> None:
    random = np.random.default_rng(3)
    said = np.log(random.uniform(0.2, 0.9, size=(3, 12)))
    clusters = np.repeat([5, 1, 9, 2], 3)
    found = bootstrapped_weights(said, clusters, rng())
    total = np.zeros(3)
    draws = 20_000
    for share in random.dirichlet(np.ones(4), draws) * 4:
        by_cluster = [said[:, clusters == each].sum(axis=1) for each in np.unique(clusters)]
        likelihood = np.exp(TEMPER * (share[:, None] * by_cluster).sum(axis=0))
        total += likelihood / likelihood.sum()
    np.testing.assert_allclose(found, total / draws, atol=0.04)
    assert found.sum() == pytest.approx(1)


def test_equal_models_share_and_better_ones_win() -> None:
    labels, scores = examples(2000, (0.5, 3.0))
    twice = np.concatenate([scores, scores[:1]])
    weights = weighted_by_evidence(labelled(labels, twice), rng()).weights
    assert weights[0] == pytest.approx(weights[2])
    assert weights[1] < 1e-6
    few = weighted_by_evidence(labelled(labels[:8], twice[:, :8]), rng()).weights
    assert few.min() > 0.05


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [2, 4])
def test_a_combination_is_as_good_as_its_best_model(method: Combine, classes: int) -> None:
    labels, scores = examples(3000, (1.0, 1.0, 4.0), classes)
    pool = method(labelled(labels[:300], scores[:, :300]), rng())
    rest, truth = scores[:, 300:], labels[300:]

    def reached(each: np.ndarray) -> float:
        return float(log_scores(each[None], truth).mean())

    known = zip(rest, *recalibrated(labelled(truth, rest)), strict=True)
    best = max(reached(slope * each + intercept) for each, slope, intercept in known)
    assert reached(np.log(pool.probability(rest))) > best - 0.01


def test_a_pool_of_models_that_know_different_things_is_not_timid() -> None:
    random = np.random.default_rng(5)
    signals = 1.5 * random.normal(size=(2, 4000))
    labels = (random.random(4000) < expit(signals.sum(axis=0))).astype(np.int8)
    scores = np.stack([np.log(expit(-signals)), np.log(expit(signals))], axis=2)
    known = labelled(labels[:2000], scores[:, :2000])
    mean = Pool(np.array([0.5, 0.5]), np.zeros(2))
    slopes = []
    for pool in (mean, stretched(mean, known)):
        odds = np.diff(np.log(pool.probability(scores)), axis=1)[2000:, 0]
        slopes.append(recalibration(labels[2000:], odds)[1])
    assert slopes[0] > 1.5
    assert 1 < slopes[1] < 1.35


def test_an_average_is_the_geometric_mean() -> None:
    _, scores = examples(50, (1.0, 2.0, 3.0))
    pool = Pool(np.array([0.5, 0.0, 0.5]), np.zeros(2))
    mean = np.exp(scores[[0, 2]].mean(axis=0))
    np.testing.assert_allclose(pool.probability(scores), mean / mean.sum(axis=1, keepdims=True))
    assert np.isfinite(log_probabilities(np.array([0.0, 1.0], np.float32))).all()


def cohort(labels: np.ndarray, folds: int = 1) -> Cohort:
    """Two encounters a cluster; a third of the clusters test, or all in turn."""
    clusters = np.arange(len(labels)) // 2
    fold = clusters % 3 if folds > 1 else np.where(clusters % 3 == 0, 0, NEVER_TESTED)
    ids = [f"e{i}" for i in range(len(labels))]
    names = [f"c{i}" for i in clusters]
    return Cohort(
        "here",
        labels,
        split_table(ids, names, labels, fold.astype(np.int16), clusters % 5 == 1),
    )


def candidate(
    target: Cohort, tmp_path: Path, cell: Cell, probability: np.ndarray, area: float | None = None
) -> Candidate:
    """What a file says with these probabilities [n, classes] in every replicate and fold."""
    predictions = Predictions(Site(target, {}))
    for fold in target.split.folds:
        train, validation, test = target.split.parts(fold)
        if cell.size != "0":
            budget = draw_budget(target, fold, cell.size, BLOCK.keys)
        for i, replicate in enumerate(BLOCK.replicates):
            if cell.size != "0":
                train, validation = budget.train[i], budget.validation[i]
            for partition, rows in (("train", train), ("validation", validation), ("test", test)):
                predictions.add(replicate, fold, partition, rows, probability[rows])
            said = {"replicate": replicate, "fold": fold, "status": "ok"}
            predictions.records.append(said | ({"source_auroc": area} if area else {}))
    path = tmp_path / f"{cell.path.replace('/', '-')}.parquet"
    predictions.write(path, cell, "")
    return read_candidate(path, pa.array(target.split.encounter))


def offered(
    target: Cohort, scores: np.ndarray, tmp_path: Path, size: str = "60"
) -> list[Candidate]:
    """Two models without target labels, the second worse at its source, and one with."""
    cells = [
        (Cell("there", "here", "none", "a", "direct", "0"), 0.9),
        (Cell("there", "here", "none", "b", "direct", "0"), 0.8),
        (Cell("", "here", "none", "a", "local", size), None),
    ]
    return [
        candidate(target, tmp_path, cell, np.exp(each), area)
        for (cell, area), each in zip(cells, scores, strict=True)
    ]


def combined(
    target: Cohort, candidates: list[Candidate], size: str, classes: int = 2
) -> Predictions:
    return combined_cell(candidates, weighted_by_evidence, target, size, BLOCK, classes)


def rows_of(predictions: Predictions, partition: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows, probability) of each replicate and fold."""
    return [(rows, p) for _, _, name, rows, p in predictions._parts if name == partition]


@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_cell_has_every_encounter_of_its_budget_and_test(
    tmp_path: Path, folds: int, classes: int
) -> None:
    labels, scores = examples(600, (1.0, 1.5, 2.0), classes)
    target = cohort(labels, folds)
    made = combined(target, offered(target, scores, tmp_path), "60", classes)
    assert [each["status"] for each in made.records] == ["ok"] * 2 * folds
    for fold, (rows, probability) in zip(
        np.repeat(range(folds), 2), rows_of(made, "test"), strict=True
    ):
        assert rows.tolist() == target.split.parts(fold)[2].tolist()
        assert np.isfinite(probability).all()
    sizes = [len(rows) for name in ("train", "validation") for rows, _ in rows_of(made, name)]
    assert sizes == [48] * 2 * folds + [12] * 2 * folds
    assert all(each["chosen"] for each in made.records)
    assert sum(made.records[0]["shares"].values()) == pytest.approx(1, abs=0.002)


def test_labels_outside_the_budget_change_nothing(tmp_path: Path) -> None:
    labels, scores = examples(600, (1.0, 1.5, 2.0))
    target = cohort(labels)
    candidates = offered(target, scores, tmp_path)
    budget = draw_budget(target, 0, "60", BLOCK.keys)
    turned = 1 - labels
    inside = np.unique(np.concatenate([budget.train.ravel(), budget.validation.ravel()]))
    turned[inside] = labels[inside]
    assert (turned != labels)[target.split.parts(0)[2]].all()
    first, second = (combined(cohort(each), candidates, "60") for each in (labels, turned))
    for (_, one), (_, other) in zip(rows_of(first, "test"), rows_of(second, "test"), strict=True):
        np.testing.assert_array_equal(one, other)
    flipped = turned.copy()
    flipped[inside] = 1 - flipped[inside]
    third = combined(cohort(flipped), candidates, "60")
    assert (rows_of(third, "test")[0][1] != rows_of(first, "test")[0][1]).any()


def test_without_labels_it_weighs_models_by_how_they_rank_their_source(tmp_path: Path) -> None:
    labels, scores = examples(600, (1.0, 1.5, 2.0))
    target = cohort(labels)
    candidates = offered(target, scores, tmp_path)
    made = combined(target, candidates[:2], "0")
    share = 1 / (1 + (4 / 9) ** POWER)  # odds of .8 and .9
    assert made.records[0]["shares"] == {
        "there-to-here/none/a/direct/0": round(share, 3),
        "there-to-here/none/b/direct/0": round(1 - share, 3),
    }
    assert not made.records[0]["chosen"]
    assert made.records[0]["train"] == made.records[0]["positives"] == 0
    odds = scores[..., 1] - scores[..., 0]
    for rows, probability in rows_of(made, "test"):
        expected = expit(share * odds[0, rows] + (1 - share) * odds[1, rows])
        np.testing.assert_allclose(probability, expected, atol=1e-6)
    turned = combined(cohort(1 - labels), candidates[:2], "0")
    for name in ("train", "validation", "test"):
        for (_, one), (_, other) in zip(rows_of(made, name), rows_of(turned, name), strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_without_choice_compare_models_of_one_source() -> None:
    def weights(*models: tuple[str, float | None, str]) -> list[float]:
        candidates = [
            Candidate(
                Cell(source, "here", "none", str(place), "some", size),
                {},
                {} if area is None else {(0, 0): area},
            )
            for place, (source, area, size) in enumerate(models)
        ]
        return without_choice(candidates, (0, 0)).tolist()

    two = 1 + (0.88 / 0.12 / 9) ** POWER
    assert weights(("a", 0.9, "0"), ("a", 0.88, "0")) == pytest.approx([1 / two, 1 - 1 / two])
    assert weights(("a", 0.9, "0"), ("b", 0.88, "0")) == [0.5, 0.5]
    almost = weights(("a", 0.9996, "0"), ("a", 0.9998, "0"), ("a", 1.0, "0"))
    assert almost == pytest.approx(np.array([0.25, 0.5, 1.0]) ** POWER / 1.0322, rel=1e-2)
    assert weights(("a", 0.9, "0"), ("a", 0.4, "0")) == [1, 0]
    assert weights(("a", 0.4, "0"), ("a", 0.5, "0")) == [0.5, 0.5]
    assert weights(("a", 0.9, "0"), ("a", None, "0"), ("b", None, "0")) == pytest.approx(
        [1 / 3] * 3
    )
    assert weights(("a", 0.7, "0"), ("", None, "60"), ("b", 0.9, "60")) == [1, 0, 0]
    assert weights(("", None, "60"), ("", None, "60")) == [0.5, 0.5]


def test_with_too_few_labels_to_choose_it_says_so(tmp_path: Path) -> None:
    _, scores = examples(600, (1.0, 1.5, 2.0))
    labels = np.zeros(600, np.int8)
    target = cohort(labels)
    budget = draw_budget(target, 0, "60", BLOCK.keys)
    labels[np.intersect1d(budget.train[0], budget.train[1])[:2]] = 1
    made = combined(target, offered(target, scores, tmp_path), "60")
    assert [each["chosen"] for each in made.records] == [False, False]
    assert made.records[0]["shares"].keys() == {
        f"there-to-here/none/{name}/direct/0" for name in "ab"
    }
    share = 1 / (1 + (4 / 9) ** POWER)  # odds of .8 and .9
    mean = np.tensordot([share, 1 - share], scores[:2], 1)
    order = np.argsort(mean[:, 1] - mean[:, 0])
    for rows, probability in rows_of(made, "test"):
        by_rank = probability[np.argsort(np.argsort(order)[rows])]
        assert (np.diff(by_rank) >= 0).all()
        assert probability.mean() < expit(mean[rows, 1] - mean[rows, 0]).mean()


def test_what_does_not_speak_of_all_labels_is_no_candidate(tmp_path: Path) -> None:
    labels, scores = examples(600, (1.0, 1.5, 0.0))
    target = cohort(labels)
    scores[2, draw_budget(target, 0, "60", BLOCK.keys).train[1, 0]] = np.nan
    made = combined(target, offered(target, scores, tmp_path), "60")
    named = ["here/none/a/local/60" in each["shares"] for each in made.records]
    assert named == [True, False]
    alone = combined(target, offered(target, scores, tmp_path)[2:], "60")
    assert [each["status"] for each in alone.records] == ["ok", "not estimable"]
    assert np.isnan(rows_of(alone, "test")[1][1]).all()


def test_its_own_scores_of_labelled_encounters_do_not_flatter(tmp_path: Path) -> None:
    """Models of noise: in-sample weights would find some that fit; held out, none helps."""
    random = np.random.default_rng(5)
    areas = []
    for seed in range(12):
        labels = random.integers(2, size=300).astype(np.int8)
        scores = log_softmax(2 * random.normal(size=(20, 300, 2)), axis=2)
        target = cohort(labels)
        folder = tmp_path / str(seed)
        folder.mkdir()
        candidates = [
            candidate(
                target, folder, Cell("", "here", "none", f"m{c}", "local", "60"), np.exp(each)
            )
            for c, each in enumerate(scores)
        ]
        made = combined(target, candidates, "60")
        rows, probability = rows_of(made, "train")[0]
        areas.append(roc_auc_score(labels[rows], probability))
    assert np.mean(areas) < 0.55
