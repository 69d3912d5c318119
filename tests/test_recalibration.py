"""Shifting and stretching log odds: against slow references, for every learner, in cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cell_data import from_source, workbench
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax
from test_baselines import of, target_site
from test_cells import SETTINGS, VECTORS

from concept_transfer.cohorts.budget import same_for_all
from concept_transfer.cohorts.cross_fitting import fold_numbers
from concept_transfer.learners import LEARNERS
from concept_transfer.models.recalibration import (
    INTERCEPT_SPREAD,
    SLOPE_SPREAD,
    Recalibration,
    recalibrated,
    shifted_prior,
)
from concept_transfer.strategies.strategy import RECALIBRATE
from concept_transfer.training.block import Block
from concept_transfer.training.source_models import train_source

TOKENS = 12
ABLE = sorted(name for name, record in LEARNERS.items() if RECALIBRATE in record.can)


def penalised(
    slope: float, intercept: float, risks: NDArray[np.float64], y: NDArray[np.int8]
) -> float:
    p = expit(slope * logit(risks) + intercept)
    prior = ((slope - 1) / SLOPE_SPREAD) ** 2 / 2 + (intercept / INTERCEPT_SPREAD) ** 2 / 2
    return float(prior - np.log(np.where(y == 1, p, 1 - p)).sum())


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), stretch=st.booleans(), rows=st.integers(8, 200))
def test_two_classes_are_as_good_as_a_plain_search(seed: int, stretch: bool, rows: int) -> None:
    rng = np.random.default_rng(seed)
    risks = expit(rng.normal(size=rows))
    y = (rng.random(rows) < expit(0.6 * logit(risks) - 1)).astype(np.int8)
    found = recalibrated(np.stack([1 - risks, risks], 1), y, stretch)
    loss = penalised(found.slope, np.diff(found.intercepts)[0], risks, y)
    slopes = np.linspace(0, 2, 81) if stretch else [1.0]
    assert found.slope == 1 or stretch
    best = min(
        minimize_scalar(lambda b, a=slope: penalised(a, b, risks, y)).fun for slope in slopes
    )
    assert best - 0.01 < loss < best + 1e-4


def test_many_labels_of_three_classes_undo_a_distortion() -> None:
    rng = np.random.default_rng(0)
    truth = softmax(rng.normal(size=(40_000, 3)), axis=1)
    labels = (rng.random((40_000, 1)) > truth.cumsum(axis=1)).sum(axis=1).astype(np.int8)
    distorted = softmax(2 * np.log(truth) + [0.0, 1.0, -1.0], axis=1)
    again = recalibrated(distorted, labels, True)(distorted)
    np.testing.assert_allclose(again, truth, atol=0.02)


def test_a_model_that_is_right_stays_nearly_as_it_is() -> None:
    rng = np.random.default_rng(0)
    risks = expit(rng.normal(size=5000))
    y = (rng.random(5000) < risks).astype(np.int8)
    found = recalibrated(np.stack([1 - risks, risks], 1), y, True)
    assert found.slope == pytest.approx(1, abs=0.1)
    assert found.intercepts == pytest.approx([0, 0], abs=0.1)


@pytest.mark.parametrize("here", [0.05, 0.3, 0.8])
def test_other_frequencies_are_found_without_labels(here: float) -> None:
    """Normal scores of either class, the same at both sites: the posterior has a closed form."""
    rng = np.random.default_rng(2)
    y = rng.random(50_000) < here
    score = rng.normal(np.where(y, 1.0, -1.0), 1.0)
    trained = expit(2 * score)  # of classes equally frequent
    change = shifted_prior(np.stack([1 - trained, trained], 1), [0.5, 0.5])
    assert expit(change.intercepts[1] - change.intercepts[0]) == pytest.approx(here, abs=0.01)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("learner", ABLE)
def test_models_of_every_learner_change_exactly(learner: str, classes: int) -> None:
    rng = np.random.default_rng(3)
    site = target_site(count=300)
    labels = rng.integers(0, classes, 300).astype(np.int8)
    site = replace(site, cohort=replace(site.cohort, labels=labels))
    vectors = VECTORS if LEARNERS[learner].takes_embedding else None
    bench = workbench(Block(0, [0, 1]), vectors, learner, TOKENS, classes)
    models = train_source(site, bench, SETTINGS).models
    rows = np.arange(200)
    before = bench.everyone().predict(models, site, rows)
    changes = [
        Recalibration(0.7, rng.normal(size=classes)),
        Recalibration(1.4, rng.normal(size=classes)),
    ]
    after = bench.everyone().predict(bench.everyone().recalibrated(models, changes), site, rows)
    for old, new, change in zip(before, after, changes, strict=True):
        np.testing.assert_allclose(new, change(old), atol=1e-5)


@pytest.mark.parametrize("learner", ABLE)
def test_recalibrated_cells_judge_every_label_by_the_other_folds(learner: str) -> None:
    site, source = target_site(count=400), target_site("source", 600, seed=1)
    vectors = VECTORS if LEARNERS[learner].takes_embedding else None
    bench = workbench(Block(0, [0]), vectors, learner, TOKENS)
    predictions = from_source(bench, site, "recalibrated", "all", SETTINGS, source)
    handed = train_source(source, bench, SETTINGS).models
    train, validation, test = site.split.parts(0)
    rows = np.concatenate([train, validation])
    folds = fold_numbers(site.cohort, same_for_all(rows, 1))[0]
    risks = bench.everyone().predict(handed, site, np.arange(len(site.labels)))[0]
    whole = recalibrated(risks[rows], site.labels[rows], True)
    np.testing.assert_allclose(of(predictions, "test")[0], whole(risks[test])[:, 1], atol=1e-5)
    held = np.empty(len(site.labels))
    for number in set(folds):
        own, others = rows[folds == number], rows[folds != number]
        change = recalibrated(risks[others], site.labels[others], True)
        held[own] = change(risks[own])[:, 1]
    np.testing.assert_allclose(of(predictions, "train")[0], held[train], atol=1e-5)
    np.testing.assert_allclose(of(predictions, "validation")[0], held[validation], atol=1e-5)


def test_label_shift_by_a_model_that_tells_little_goes_not_to_the_end() -> None:
    """All risks lie below the share of training: plain maximum likelihood says that none is ill."""
    risks = np.random.default_rng(0).uniform(0.2, 0.29, 500)
    change = shifted_prior(np.stack([1 - risks, risks], 1), [0.7, 0.3])
    moved = change(np.stack([1 - risks, risks], 1))[:, 1]
    assert 0.001 < moved.mean() < risks.mean()
    order = np.argsort(risks)
    assert (np.diff(moved.astype(np.float32)[order]) >= 0).all()
    assert len(np.unique(moved.astype(np.float32))) > 400


def test_label_shift_looks_at_no_label_and_at_no_test_row() -> None:
    site, source = target_site(count=400), target_site("source", 600, seed=1)
    bench = workbench(Block(0, [0]), None, "naive_bayes", TOKENS)
    found = from_source(bench, site, "label_shift", "0", SETTINGS, source)
    other = replace(site, cohort=replace(site.cohort, labels=1 - site.labels))
    again = from_source(bench, other, "label_shift", "0", SETTINGS, source)
    assert np.array_equal(of(found, "test")[0], of(again, "test")[0])
    handed = train_source(source, bench, SETTINGS).models
    pool = np.concatenate(site.split.parts(0)[:2])
    risks = bench.everyone().predict(handed, site, np.arange(len(site.labels)))[0]
    share = source.labels[np.concatenate(source.split.source_parts())].mean()
    change = shifted_prior(risks[pool], [1 - share, share])
    expected = change(risks[site.split.parts(0)[2]])[:, 1]
    np.testing.assert_allclose(of(found, "test")[0], expected, atol=1e-6)
