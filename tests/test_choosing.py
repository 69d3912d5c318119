"""Settings that held-out log loss chooses for every replicate, against plain loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cell_data import predict, workbench
from numpy.typing import NDArray
from sklearn.naive_bayes import BernoulliNB
from test_baselines import bench, dense, labelled, of, parts, target_site
from test_cells import SETTINGS, VECTORS, relabelled
from test_cells import target_site as site_of_networks

from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.pooled import WEIGHTS
from concept_transfer.strategies.strategy import Part, Plan, StrategySettings
from concept_transfer.training.block import Block
from concept_transfer.training.choosing import alternatives, chosen
from concept_transfer.training.jobs import described
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.source_models import train_source

POOLED: dict[str, Any] = {"kind": "pooled"}


def weights_of(predictions: Predictions) -> list[float]:
    return [record["settings"]["source_weight"] for record in predictions.records]


def test_a_source_that_is_like_the_target_counts_and_one_that_misleads_does_not() -> None:
    site, source = target_site(count=600), target_site("source", 1200, seed=1)
    misleading = relabelled(source, 1 - source.labels)
    for learner in ("logistic", "naive_bayes", "gradient_boosting"):
        like = predict(bench(learner), site, POOLED, "100", SETTINGS, source)
        unlike = predict(bench(learner), site, POOLED, "100", SETTINGS, misleading)
        assert min(weights_of(like)) >= 0.1
        assert max(weights_of(unlike)) == min(WEIGHTS)
        y = site.labels[parts(site)[2]]
        assert ((of(unlike, "test")[0] > 0.5) == y).mean() > 0.7


def test_a_weight_that_is_given_is_taken() -> None:
    site, source = target_site(count=600), target_site("source", 600, seed=1)
    found = predict(
        bench("logistic"), site, POOLED | {"source_weight": 0.3}, "60", SETTINGS, source
    )
    assert "settings" not in found.records[0]


def plainly(
    site: Site, source: Site, weights: tuple[float, ...]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """The weight, the risks of the test encounters, and those of the labelled ones out of fold,
    with scikit-learn's naive Bayes and a loop over weights and folds."""
    rows, folds = labelled(site)
    offered = source.split.source_parts()[0]
    x = np.concatenate([dense(site, rows), dense(source, offered)])
    y = np.concatenate([site.labels[rows], source.labels[offered]])
    fold = np.concatenate([folds, np.full(len(offered), -1)])
    truth, own = site.labels[rows], np.arange(len(rows))
    test = dense(site, parts(site)[2])
    held, risks = [], []
    for weight in weights:
        w = np.where(fold < 0, weight, 1.0)

        def risk(rest: Any, at: Any, w: Any = w) -> Any:
            model = BernoulliNB().fit(x[rest], y[rest], sample_weight=w[rest])
            return model.predict_proba(at)[:, 1]

        said = np.zeros(len(rows))
        for number in set(folds):
            said[folds == number] = risk(fold != number, x[fold == number])
        held.append(said)
        risks.append(risk(fold >= -1, test))
    loss = -np.log(np.where(truth == 1, held, 1 - np.array(held)))
    chosen = [loss[:, folds != number].sum(axis=1).argmin() for number in folds]
    best = int(loss.sum(axis=1).argmin())
    return weights[best], risks[best], np.array(held)[chosen, own]


@pytest.mark.parametrize("seed", [1, 3])
def test_the_weight_is_that_of_plain_nested_cross_validation(seed: int) -> None:
    """And every label is judged by the weight that the other folds choose."""
    site, source = target_site(count=240, seed=2), target_site("source", 500, seed=seed)
    noisy = np.random.default_rng(seed).random(500) < 0.3
    source = relabelled(source, np.where(noisy, 1 - source.labels, source.labels).astype(np.int8))
    weight, risks, held = plainly(site, source, WEIGHTS)
    found = predict(bench("naive_bayes"), site, POOLED, "all", SETTINGS, source)
    assert weights_of(found) == [weight]
    np.testing.assert_allclose(of(found, "test")[0], risks, atol=1e-6)
    rows, _ = labelled(site)
    for partition, own in zip(("train", "validation"), parts(site), strict=False):
        expected = held[[list(rows).index(row) for row in own]]
        np.testing.assert_allclose(of(found, partition)[0], expected, atol=1e-6)


def test_each_replicate_has_a_weight_and_a_model_of_its_own() -> None:
    site, source = target_site(count=600), target_site("source", 300, seed=1)
    noisy = np.random.default_rng(0).random(300) < 0.4
    source = relabelled(source, np.where(noisy, 1 - source.labels, source.labels).astype(np.int8))
    found = predict(bench("logistic", 8), site, POOLED, "60", SETTINGS, source)
    weights = weights_of(found)
    assert len(set(weights)) > 1
    for weight in set(weights):
        given = POOLED | {"source_weight": weight}
        fixed = predict(bench("logistic", 8), site, given, "60", SETTINGS, source)
        for i in np.flatnonzero(np.array(weights) == weight):
            np.testing.assert_array_equal(found.tested(i)[1], fixed.tested(i)[1])


def test_too_few_labels_take_the_first_weight() -> None:
    labels = np.zeros(120, np.int8)
    labels[[1, 2, 4, 7]] = 1
    source = target_site("source", 300, seed=1)
    site = target_site(labels=labels)
    found = predict(bench("logistic"), site, POOLED, "all", SETTINGS, source)
    assert weights_of(found) == [1.0]


def test_networks_choose_by_their_validation_encounters() -> None:
    block = Block(0, [0, 1, 2])
    networks = workbench(block, VECTORS)
    long = SETTINGS.model_copy(update={"epochs": 25, "dropout": 0.0})
    site, source = site_of_networks(count=450), site_of_networks("source", 900, seed=1)
    misleading = relabelled(source, 1 - source.labels)
    found = predict(networks, site, POOLED, "all", long, misleading)
    assert max(weights_of(found)) < 0.3
    for weight in set(weights_of(found)):
        given = predict(networks, site, POOLED | {"source_weight": weight}, "all", long, misleading)
        for i in np.flatnonzero(np.array(weights_of(found)) == weight):
            np.testing.assert_allclose(found.tested(i)[1], given.tested(i)[1], rtol=1e-5)
            assert found.records[i]["epochs"] == given.records[i]["epochs"]
    paper = long.model_copy(update={"protocol": "gao2024", "epochs": 2})
    assert weights_of(predict(networks, site, POOLED, "all", paper, misleading)) == [1.0] * 3


def test_networks_choose_how_far_they_leave_their_source() -> None:
    networks = workbench(Block(0, [0, 1]), VECTORS)
    site, source = site_of_networks(count=450), site_of_networks("source", 900, seed=1)
    handed_on = train_source(source, networks, SETTINGS)
    found = predict(networks, site, "l2_sp", "all", SETTINGS, None, handed_on)
    offered = STRATEGIES["l2_sp"].choices["strength"]
    assert all(record["settings"]["strength"] in offered for record in found.records)


def test_a_fit_that_diverged_is_chosen_last() -> None:
    site, source = target_site(count=600), target_site("source", 600, seed=1)
    rows, folds = labelled(site)
    family = bench("logistic").everyone()
    fits = []
    for weight in (0.01, 1.0):
        offered = Part(source, source.split.source_parts()[0][None], weight)
        plan = Plan((Part(site, rows[None]), offered))
        fits.append(family.cross_fit(plan, SETTINGS, folds[None]))
    labels = site.labels[rows][None]
    _, (better,) = chosen(family, fits, labels, folds[None])
    lost = replace(fits[better].fitted, diverged=[True])
    fits[better] = replace(fits[better], fitted=lost)
    found, (best,) = chosen(family, fits, labels, folds[None])
    assert best != better
    assert found.fitted.diverged == [False]
    np.testing.assert_array_equal(found.held, fits[best].held)


def test_open_settings_are_combined() -> None:
    settings = StrategySettings(kind="local", epochs=3)
    found = alternatives({"learning_rate": (0.1, 0.2), "epochs": (1, 2)}, settings)
    assert found == [{"learning_rate": 0.1}, {"learning_rate": 0.2}]
    both = alternatives(
        {"learning_rate": (0.1, 0.2), "epochs": (1, 2)},
        settings.model_copy(update={"epochs": None}),
    )
    assert both[1] == {"learning_rate": 0.1, "epochs": 2}
    assert len(both) == 4


def test_the_log_says_what_was_chosen() -> None:
    site, source = target_site(count=600), target_site("source", 300, seed=1)
    found = predict(
        bench("logistic", 3), site, POOLED | {"source_weight": None}, "60", SETTINGS, source
    )
    weights = weights_of(found)
    said = described(found.records, 2)
    assert f", source_weight {min(weights):g}" in said
