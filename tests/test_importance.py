"""Importance weights: against counts and a plain loop, in cells of every learner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cell_data import from_source, predict, workbench
from engine_data import keys
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from test_baselines import dense, of, target_site
from test_cells import SETTINGS, VECTORS, folded_site, probabilities

from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import split_table
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.learners import LEARNERS
from concept_transfer.models.cnn import predict as predicted
from concept_transfer.models.dataset import dataset_of
from concept_transfer.models.penalties import VARIANCES
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Part, Plan
from concept_transfer.training.batches import Batches
from concept_transfer.training.block import Block
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import body_for
from concept_transfer.training.importance import flattened, importance_weights, log_ratio
from concept_transfer.training.performance import worth
from concept_transfer.training.source_models import train_source
from concept_transfer.training.trainer import Trainer
from concept_transfer.training.validation import Validation
from concept_transfer.training.work import Workbench

TOKENS = 12
ALL = sorted(name for name, record in LEARNERS.items() if record.reads == "findings")


def bench(learner: str, replicates: int = 1) -> Workbench:
    vectors = VECTORS if LEARNERS[learner].takes_embedding else None
    return workbench(Block(0, list(range(replicates))), vectors, learner, TOKENS)


def site_of(name: str, held: NDArray[np.bool_], labels: NDArray[np.int8], tests: bool) -> Site:
    """A site of encounters whose tokens are the columns of `held` [n, tokens]."""
    rows = [np.flatnonzero(row) for row in held]
    values = np.concatenate(rows).astype(np.int32)
    findings = CompressedRows(np.cumsum([0, *map(len, rows)]), values)
    row = np.arange(len(labels))
    fold = np.where(tests & (row % 2 == 0), 0, -1).astype(np.int16)
    ids = [f"{name}{i}" for i in row]
    split = split_table(ids, ids, labels, fold, row % 5 == 1)
    return Site(Cohort(name, labels, split), {"findings": findings})


def test_weights_are_the_ratio_of_frequencies() -> None:
    """Two independent tokens, whose frequencies differ between the sites: the ratio is known."""
    rng = np.random.default_rng(0)
    here, there, n = np.array([0.3, 0.5]), np.array([0.6, 0.4]), 40_000
    sites = [
        site_of(name, rng.random((n, 2)) < rates, np.zeros(n, np.int8), False)
        for name, rates in (("source", here), ("target", there))
    ]
    rows = np.arange(n)
    found = importance_weights(sites[0], rows, sites[1], rows, 0.0)
    x = sites[0].inputs["findings"].matrix(2).toarray()
    truth = np.prod(np.where(x == 1, there / here, (1 - there) / (1 - here)), axis=1)
    np.testing.assert_allclose(found, truth, rtol=0.08)
    assert found.mean() == pytest.approx(1)


def test_the_classifier_is_cross_fitted_with_both_sites_counting_half() -> None:
    """Scikit-learn's models without each fold, at one of the penalties that are chosen among, but
    for a slope."""
    source, target = target_site("source", 300, seed=1), target_site(count=240)
    rows, pool = np.arange(300), np.arange(200)
    x = np.vstack([dense(source, rows), dense(target, pool)])
    is_target = np.repeat([0, 1], [300, 200])
    weights = np.where(is_target == 1, 500 / 400, 500 / 600)
    fold = np.concatenate([np.arange(300) % 5, np.arange(200) % 5])
    found = log_ratio(source, rows, target, pool)
    for number in range(5):
        out = fold == number
        gaps = []
        for variance in VARIANCES:
            model = LogisticRegression(C=1.25 * variance, max_iter=5000, tol=1e-8)
            model.fit(x[~out], is_target[~out], sample_weight=weights[~out])
            held = model.decision_function(x[out & (is_target == 0)])
            gaps.append(but_for_slope(found[out[:300]], held))
        assert min(gaps) < 0.01


def test_weights_are_flattened_no_further_than_asked() -> None:
    plain = np.exp(np.random.default_rng(0).normal(size=1000) * 2)
    scores = np.log(plain)
    assert worth(plain) < 500
    np.testing.assert_allclose(flattened(scores, 0.0), plain)
    for share in (0.5, 0.9):
        found = flattened(scores, share)
        assert worth(found) == pytest.approx(1000 * share)
        power = np.log(found) / scores
        np.testing.assert_allclose(power, power[0], rtol=1e-6)
    np.testing.assert_allclose(flattened(scores, 1.0), 1)
    mild = np.linspace(-0.2, 0.2, 1000)
    np.testing.assert_allclose(flattened(mild, 0.9), np.exp(mild))
    assert worth(np.ones(7)) == 7


@pytest.mark.parametrize("learner", ALL)
def test_equal_weights_are_the_source_model(learner: str) -> None:
    site, source = target_site(count=300), target_site("source", 400, seed=1)
    alike = {"kind": "importance_weighted", "effective": 1}
    found = from_source(bench(learner, 2), site, alike, "0", SETTINGS, source)
    direct = from_source(bench(learner, 2), site, "direct", "0", SETTINGS, source)
    np.testing.assert_allclose(probabilities(found), probabilities(direct), atol=1e-5)
    for one, other in zip(found.records, direct.records, strict=True):
        assert one["source_auroc"] == pytest.approx(other["source_auroc"], abs=1e-5)
        assert one["effective_encounters"] == pytest.approx(400 * 2 / 3, rel=0.3)


@pytest.mark.parametrize("learner", ALL)
def test_every_learner_weighs_encounters(learner: str) -> None:
    """Token 0 tells the label in half of the encounters and its contrary in the others."""
    rng = np.random.default_rng(0)
    held = rng.random((400, TOKENS)) < np.where(np.arange(TOKENS), 0.15, 0.5)
    held = held[:, :10] if LEARNERS[learner].takes_embedding else held
    group = np.arange(400) % 2 == 0
    labels = (held[:, 0] == group).astype(np.int8)
    source = site_of("source", held, labels, False)
    one = bench(learner)
    rows = np.concatenate(source.split.source_parts())[None]
    settings = SETTINGS
    if learner == "cnn":
        settings = SETTINGS.model_copy(update={"epochs": 120, "filters": 30, "dropout": 0.0})
    risks = {}
    for favoured in (True, False):
        weight = np.where(group == favoured, 1.8, 0.2)
        family = one.everyone()
        plan = Plan((Part(source, rows, weight),))
        fitted = family.cross_fit(plan, settings, rows % 5).fitted
        risk = family.predict(fitted.models, source, np.arange(400))[0, :, 1]
        risks[favoured] = risk[held[:, 0]].mean() - risk[~held[:, 0]].mean()
    assert risks[True] > 0.2
    assert risks[False] < -0.2


def test_a_weighted_logistic_regression_is_scikit_learn_s() -> None:
    site, source = target_site(count=300), target_site("source", 400, seed=1)
    chosen = {"kind": "importance_weighted", "effective": 0.8}
    found = of(from_source(bench("logistic"), site, chosen, "0", SETTINGS, source), "test")[0]
    rows = np.concatenate(source.split.source_parts())
    train, validation, test = site.split.parts(0)
    pool = np.concatenate([train, validation])
    weights = importance_weights(source, rows, site, pool, 0.8)[rows]
    models = []
    for variance in VARIANCES:
        model = LogisticRegression(C=variance, tol=1e-8, max_iter=1000)
        model.fit(dense(source, rows), source.labels[rows], sample_weight=weights)
        models.append(model.decision_function(dense(site, test)))
    assert min(but_for_slope(logit(found), each) for each in models) < 1e-3


def but_for_slope(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """How far log odds are, at most, from a multiple of those expected and a constant."""
    line = np.polyfit(expected, found, 1)
    return float(np.abs(found - np.polyval(line, expected)).max())


def test_epochs_are_chosen_by_the_weighted_loss() -> None:
    source, rows = target_site("source", 60), torch.arange(60)
    weight = np.random.default_rng(0).random(60)
    data, own = dataset_of(source, weight), keys(0)
    start = initial_weights(own, VECTORS.shape[1], SETTINGS.filters)
    body = body_for(data, VECTORS, rows, start, "sgd", own)
    trainer = Trainer(body, Batches(data, rows[None], own, SETTINGS), start, SETTINGS)
    found = Validation(data, rows[None], "log_loss").scores(trainer)
    risks = predicted(start, VECTORS, data, rows)[0, :, 1].numpy()
    expected = log_loss(source.labels, risks, sample_weight=weight)
    assert float(found[0]) == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(log_loss(source.labels, risks), rel=1e-3)


def test_it_helps_a_model_that_lacks_an_interaction() -> None:
    """Risk is the same at both sites, but token 1 raises it only beside token 0."""
    rng = np.random.default_rng(0)

    def drawn(name: str, share: float, n: int) -> Site:
        held = rng.random((n, TOKENS)) < 0.5
        held[:, 0] = rng.random(n) < share
        logit = 3 * (held[:, 1] - 0.5) * (2.0 * held[:, 0] - 1) + held[:, 2] - 1.0
        return site_of(name, held, (rng.random(n) < expit(logit)).astype(np.int8), name == "target")

    source, target = drawn("source", 0.35, 4000), drawn("target", 0.7, 4000)
    areas = {}
    for kind in ("direct", "importance_weighted"):
        found = from_source(bench("logistic"), target, kind, "0", SETTINGS, source)
        labels, risks, _ = found.tested(0)
        areas[kind] = roc_auc_score(labels, risks)
    assert areas["importance_weighted"] > areas["direct"] + 0.05


@pytest.mark.parametrize("learner", ["cnn", "naive_bayes"])
def test_no_label_of_the_target_and_no_test_encounter_matters(learner: str) -> None:
    site, source = target_site(count=300), target_site("source", 400, seed=1)
    found = from_source(bench(learner), site, "importance_weighted", "0", SETTINGS, source)
    other = replace(site, cohort=replace(site.cohort, labels=1 - site.labels))
    again = from_source(bench(learner), other, "importance_weighted", "0", SETTINGS, source)
    assert np.array_equal(probabilities(found), probabilities(again))
    *pool, _ = site.split.parts(0)
    rows = np.concatenate(source.split.source_parts())
    weights = importance_weights(source, rows, site, np.concatenate(pool), 0.7)
    assert found.records[0]["effective_encounters"] == pytest.approx(worth(weights[rows]))


def test_under_folds_weights_are_those_of_each_fold() -> None:
    source = target_site("source", 400, seed=1)
    found = predict(
        bench("naive_bayes"), folded_site(), "importance_weighted", "0", SETTINGS, source
    )
    assert len(probabilities(found)) == 120
    worths = {record["effective_encounters"] for record in found.records}
    assert len(worths) == 3


def test_weights_count_encounters() -> None:
    source = target_site("source", 60)
    weight = np.arange(60.0)
    rows = np.array([[3, 5], [3, 5]])
    assert Part(source, rows, weight).size == 8
    assert Part(source, rows, 0.5).size == 1


def test_a_model_handed_on_is_not_needed() -> None:
    source, site = target_site("source", 400, seed=1), target_site(count=300)
    one = bench("naive_bayes")
    found = predict(one, site, "importance_weighted", "0", SETTINGS, source)
    handed = train_source(source, one, SETTINGS)
    with_it = predict(one, site, "importance_weighted", "0", SETTINGS, source, handed)
    assert np.array_equal(probabilities(found), probabilities(with_it))
