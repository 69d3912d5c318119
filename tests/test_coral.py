"""CORAL: the closed form against retraining on mapped encounters, and cells of every learner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cell_data import from_source, workbench
from numpy.typing import NDArray
from plain_reference import PlainCNN, pad
from scipy.linalg import sqrtm
from scipy.sparse import csr_array
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from test_baselines import dense, of, target_site
from test_cells import SETTINGS, VECTORS, folded_site, probabilities

from concept_transfer.learners import LEARNERS
from concept_transfer.models.alignment import Affine, Moments, coral
from concept_transfer.models.token_scores import TokenScores
from concept_transfer.strategies.strategy import ALIGN
from concept_transfer.training.block import Block
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import Workbench

TOKENS = 12
ABLE = sorted(name for name, record in LEARNERS.items() if ALIGN in record.can)
OF_TOKENS = [name for name in ABLE if name not in ("cnn", "history", "document")]
Floats = NDArray[np.float64]


def bench(learner: str, replicates: int = 1, classes: int = 2) -> Workbench:
    vectors = VECTORS if LEARNERS[learner].takes_embedding else None
    return workbench(Block(0, list(range(replicates))), vectors, learner, TOKENS, classes)


def moments_of(features: Floats) -> Moments:
    return Moments(features.mean(axis=0), np.cov(features.T, bias=True))


def drawn(seed: int, mean: Floats, n: int = 500) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4)) + mean


def test_it_predicts_what_a_model_trained_on_mapped_encounters_would() -> None:
    """The paper maps the source to the target and trains there; features have mean zero."""
    source, target = drawn(0, np.zeros(4)), drawn(1, np.zeros(4))
    source, target = source - source.mean(axis=0), target - target.mean(axis=0)
    own, other = moments_of(source), moments_of(target)
    ridge = 0.5 * np.trace(own.covariance + other.covariance) / 8 * np.eye(4)
    here, there = sqrtm(own.covariance + ridge), sqrtm(other.covariance + ridge)
    labels = np.random.default_rng(2).random(500) < 1 / (1 + np.exp(-source @ [1, -1, 0.5, 0]))
    mapped = LogisticRegression(C=np.inf, tol=1e-10).fit(
        source @ np.linalg.inv(here) @ there, labels
    )
    change = coral(own, other, 0.5)
    plain = LogisticRegression(C=np.inf, tol=1e-10).fit(source, labels)
    ours = plain.decision_function(target @ change.matrix + change.shift)
    np.testing.assert_allclose(ours, mapped.decision_function(target), atol=1e-3)


def test_the_covariance_is_the_source_s_and_the_mean_stays() -> None:
    source, target = drawn(0, np.arange(4.0)), drawn(1, np.ones(4))
    change = coral(moments_of(source), moments_of(target), 1e-9)
    mapped = moments_of(target @ change.matrix + change.shift)
    np.testing.assert_allclose(mapped.covariance, moments_of(source).covariance, atol=1e-5)
    np.testing.assert_allclose(mapped.mean, target.mean(axis=0), atol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("learner", OF_TOKENS)
def test_linear_models_of_tokens_are_mapped_exactly(learner: str, classes: int) -> None:
    rng = np.random.default_rng(3)
    site = target_site(count=300)
    labels = rng.integers(0, classes, 300).astype(np.int8)
    site = replace(site, cohort=replace(site.cohort, labels=labels))
    one = bench(learner, 2, classes)
    models = train_source(site, one, SETTINGS).models
    tokens = 10 if LEARNERS[learner].takes_embedding else TOKENS
    change = Affine(rng.normal(size=(tokens, tokens)), rng.normal(size=tokens))
    rows = np.arange(200)
    family = one.everyone()
    found = family.predict(family.mapped(models, [change, change]), site, rows)[1]
    x = dense(site, rows)[:, :tokens]
    expected = models.models[0].predict_proba(csr_array(x @ change.matrix + change.shift))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    moments = family.moments(models, site, rows)
    np.testing.assert_allclose(moments[1].mean, x.mean(axis=0))
    np.testing.assert_allclose(moments[1].covariance, np.cov(x.T, bias=True), atol=1e-12)


def test_a_class_that_training_lacks_keeps_probability_zero() -> None:
    scores = TokenScores(np.ones((3, 2)), np.array([0.0, 1.0, -np.inf]))
    mapped = scores.mapped(Affine(np.eye(2), np.ones(2)))
    assert mapped.predict_proba(csr_array(np.eye(2)))[:, 2].tolist() == [0, 0]


@pytest.mark.parametrize("replicates", [1, 3])
def test_the_network_is_mapped_as_a_plain_model_s_pooled_features(replicates: int) -> None:
    site, source = target_site(count=300), target_site("source", 400, seed=1)
    one = bench("cnn", replicates)
    chosen = {"kind": "coral", "identity": 0.5}
    found = of(from_source(one, site, chosen, "0", SETTINGS, source), "test")
    models = train_source(source, one, SETTINGS).models
    rows = np.concatenate(source.split.source_parts())
    train, validation, test = site.split.parts(0)
    pool = np.concatenate([train, validation])
    for i in range(replicates):
        plain = PlainCNN(VECTORS, 6, models.select([i]))
        head, plain.linear = plain.linear, torch.nn.Identity()

        def features(site: object, rows: Floats, plain: PlainCNN = plain) -> Floats:
            held = [site.inputs["findings"][row].tolist() for row in rows]
            with torch.no_grad():
                return plain(pad(held, plain.padding)).double().numpy()

        change = coral(moments_of(features(source, rows)), moments_of(features(site, pool)), 0.5)
        mapped = features(site, test) @ change.matrix + change.shift
        with torch.no_grad():
            expected = head(torch.from_numpy(mapped).float()).softmax(1)[:, 1].numpy()
        np.testing.assert_allclose(found[i], expected, atol=1e-5)


@pytest.mark.parametrize("learner", ABLE)
def test_with_much_of_the_identity_nothing_changes(learner: str) -> None:
    site, source = target_site(count=300), target_site("source", 400, seed=1)
    chosen = {"kind": "coral", "identity": 1e7}
    found = from_source(bench(learner, 2), site, chosen, "0", SETTINGS, source)
    direct = from_source(bench(learner, 2), site, "direct", "0", SETTINGS, source)
    np.testing.assert_allclose(probabilities(found), probabilities(direct), atol=1e-4)
    area = [record["source_auroc"] for record in direct.records]
    assert [record["source_auroc"] for record in found.records] == area


@pytest.mark.parametrize("learner", ["cnn", "logistic"])
def test_the_mean_log_odds_at_the_target_stay(learner: str) -> None:
    """So that a target where the outcome is more frequent is not predicted the source's share."""
    site, source = target_site(count=300), target_site("source", 400, seed=1)
    chosen = {"kind": "coral", "identity": 0.3}
    means = []
    for strategy in (chosen, {"kind": "direct"}):
        found = from_source(bench(learner), site, strategy, "0", SETTINGS, source)
        risks = np.concatenate([of(found, part)[0] for part in ("train", "validation")])
        means.append(logit(risks.astype(float)).mean())
    assert means[0] == pytest.approx(means[1], abs=1e-4)


@pytest.mark.parametrize("learner", ["cnn", "gaussian_process"])
def test_no_label_of_the_target_and_no_test_encounter_matters(learner: str) -> None:
    site, source = target_site(count=300), target_site("source", 400, seed=1)
    found = from_source(bench(learner), site, "coral", "0", SETTINGS, source)
    other = replace(site, cohort=replace(site.cohort, labels=1 - site.labels))
    again = from_source(bench(learner), other, "coral", "0", SETTINGS, source)
    assert np.array_equal(probabilities(found), probabilities(again))
    direct = from_source(bench(learner), site, "direct", "0", SETTINGS, source)
    assert not np.array_equal(probabilities(found), probabilities(direct))


def test_under_folds_every_encounter_is_predicted_once() -> None:
    source = target_site("source", 400, seed=1)
    found = from_source(bench("naive_bayes"), folded_site(), "coral", "0", SETTINGS, source)
    assert len(probabilities(found)) == 120
