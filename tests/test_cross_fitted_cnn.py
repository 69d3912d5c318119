"""Concept CNNs without each fold, against plain models that never see it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from cell_data import workbench
from engine_data import dataset, keys, random_encounters, train_reference, training
from numpy.typing import NDArray
from plain_reference import pad
from safetensors.torch import load_file, save_file
from scipy.special import softmax
from sklearn.metrics import roc_auc_score
from test_cells import BLOCK, VECTORS, folded_site, relabelled, target_site
from test_engine import labels_of, vectors_of
from torch import Tensor

from concept_transfer.cohorts.budget import draw_budget
from concept_transfer.cohorts.cross_fitting import folds_of_budget
from concept_transfer.learners import LEARNERS
from concept_transfer.models.cnn import Weights
from concept_transfer.models.pooling import POOLINGS
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import Part, Plan
from concept_transfer.training.block import Block
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import Fit, Tuning, fit
from concept_transfer.training.folds import folds_of

REPLICATES, COUNT, NUMBER, EPOCHS = 2, 45, 3, 6
ENCOUNTERS = random_encounters(COUNT, 12, 6, seed=1)
LABELS = labels_of(ENCOUNTERS)
KEYS = keys(*range(REPLICATES))
ROWS = torch.stack(
    [torch.randperm(COUNT, generator=torch.Generator().manual_seed(i)) for i in (1, 2)]
)
FOLD = torch.stack([torch.arange(COUNT) % NUMBER, (torch.arange(COUNT) // 4) % NUMBER])
A_PASS = -(-COUNT // 8)


def start_of(width: int) -> Weights:
    return initial_weights(KEYS, width, 5, dtype=torch.float64)


def run(
    settings: Training, vectors: Tensor, early: bool, tuning: Tuning, fold: Tensor = FOLD
) -> Fit:
    data = dataset(ENCOUNTERS, LABELS)
    folds = folds_of(ROWS, data.labels[ROWS], fold, NUMBER)
    each = NUMBER + 1
    start = start_of(vectors.shape[1]).select([i for i in range(REPLICATES) for _ in range(each)])
    rows, own_keys = ROWS.repeat_interleave(each, 0), KEYS.repeat_interleave(each)
    early_stopping = [early] * len(own_keys)
    return fit(
        *(
            data,
            vectors,
            rows,
            rows[:, :0],
            own_keys,
            start,
            settings,
            early_stopping,
            tuning,
            folds,
        )
    )


def plain(
    settings: Training,
    vectors: Tensor,
    replicate: int,
    left_out: int | None,
    steps: int,
    frozen: bool,
) -> tuple[Weights, Tensor]:
    """A plain model for which a fold's encounters have no weight, and its logits of all."""
    weights = torch.ones(COUNT)
    if left_out is not None:
        weights[ROWS[replicate, FOLD[replicate] == left_out]] = 0
    data = dataset(ENCOUNTERS, LABELS, weights)
    model, _ = train_reference(
        *(ENCOUNTERS, data, ROWS[replicate], KEYS[replicate : replicate + 1], settings, steps),
        *(vectors, start_of(vectors.shape[1]).select([replicate]), frozen),
    )
    with torch.no_grad():
        return model.weights(), model(pad(ENCOUNTERS, model.padding))


def same(found: Weights, expected: Weights) -> None:
    for name, value in vars(expected).items():
        torch.testing.assert_close(getattr(found, name), value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("width", [30, 7])
def test_each_network_is_a_plain_one_that_its_fold_has_no_weight_for(
    width: int, frozen: bool, class_weight: str
) -> None:
    settings = training(fixed_epochs=EPOCHS, dropout=0.5)
    vectors = vectors_of(12, width)
    if class_weight == "balanced":  # the reference counts classes over all rows: none left out
        settings = settings.model_copy(update={"class_weight": "balanced"})
    found = run(settings, vectors, False, Tuning(frozen))
    for replicate in range(REPLICATES):
        for place, fold in enumerate([*range(NUMBER), None]):
            if class_weight == "balanced" and fold is not None:
                continue
            network = replicate * (NUMBER + 1) + place
            expected, _ = plain(settings, vectors, replicate, fold, EPOCHS * A_PASS, frozen)
            same(found.weights.select([network]), expected)


def test_balanced_classes_are_those_that_a_network_trains_on() -> None:
    settings = training(fixed_epochs=2, class_weight="balanced")
    one = dataset(ENCOUNTERS, LABELS)
    found = run(settings, vectors_of(12, 30), False, Tuning())
    labels = one.labels[ROWS[0]]
    kept = FOLD[0] != 1
    shares = [(labels[kept] == k).double().mean() for k in (0, 1)]
    weights = torch.zeros(COUNT)
    weights[ROWS[0, kept]] = torch.tensor([0.5 / shares[k] for k in labels[kept].tolist()]).float()
    data = dataset(ENCOUNTERS, LABELS, weights)
    model, _ = train_reference(
        *(ENCOUNTERS, data, ROWS[0], KEYS[:1], training(fixed_epochs=2), 2 * A_PASS),
        *(vectors_of(12, 30), start_of(30).select([0])),
    )
    torch.testing.assert_close(
        found.weights.convolution[1:2], model.weights().convolution, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("monitor", ["log_loss", "auroc"])
@pytest.mark.parametrize("tuned", [False, True])
def test_folds_choose_the_epoch_and_the_others_that_of_a_fold_s_own(
    tuned: bool, monitor: str
) -> None:
    """By brute force: every network at every epoch, judged on what it was trained without."""
    settings = training(
        epochs=EPOCHS, learning_rate=0.05, dropout=0.5, patience=None, monitor=monitor
    )
    vectors = vectors_of(12, 30)
    found = run(settings, vectors, True, Tuning(start_competes=tuned))
    epochs = range(0 if tuned else 1, EPOCHS + 1)
    several = set()
    for replicate in range(REPLICATES):
        scores = np.zeros((len(epochs), NUMBER))
        counts = np.bincount(FOLD[replicate])
        for i, epoch in enumerate(epochs):
            for fold in range(NUMBER):
                _, logits = plain(settings, vectors, replicate, fold, epoch * A_PASS, False)
                held = ROWS[replicate, FOLD[replicate] == fold]
                truth = torch.tensor(LABELS)[held]
                if monitor == "auroc":
                    margin = logits[held, 1] - logits[held, 0]
                    scores[i, fold] = -roc_auc_score(truth, margin)
                else:
                    scores[i, fold] = torch.nn.functional.cross_entropy(logits[held], truth)
        for place in range(NUMBER + 1):
            others = np.arange(NUMBER) != place
            means = scores[:, others] @ counts[others] / counts[others].sum()
            best = epochs[int(means.argmin())]
            network = replicate * (NUMBER + 1) + place
            assert found.epochs[network] == best
            assert found.scores[network] == pytest.approx(means.min())
            left_out = place if place < NUMBER else None
            expected, _ = plain(settings, vectors, replicate, left_out, best * A_PASS, False)
            same(found.weights.select([network]), expected)
            several.add(best)
    assert len(several) > 1


def test_networks_of_a_replicate_stop_together_when_the_one_of_all_labels_does() -> None:
    settings = training(epochs=40, learning_rate=0.4, patience=2)
    long = run(settings.model_copy(update={"patience": None}), vectors_of(12, 30), True, Tuning())
    short = run(settings, vectors_of(12, 30), True, Tuning())
    each = NUMBER + 1
    for replicate in range(REPLICATES):
        last = short.epochs[replicate * each + NUMBER]
        assert max(short.epochs[replicate * each : (replicate + 1) * each]) <= last + 2
        assert last <= long.epochs[replicate * each + NUMBER]


FEW = Training.model_validate(
    {"epochs": 5, "fixed_epochs": 3, "filters": 6, "norm": None, "min_iterations": 1}
)


def crossed(labels: NDArray[np.int8] | None = None, block: Block = BLOCK, folds: int = 5):
    """What a learner says of a cell's labels, with its folds and the rows of the budget."""
    site = target_site() if labels is None else relabelled(target_site(), labels)
    budget = draw_budget(site.cohort, 0, "50", block.keys)
    rows = budget.joined.train
    fold = folds_of_budget(site.cohort, budget, folds)
    family = workbench(block, VECTORS).everyone()
    return family.cross_fit(Plan((Part(site, rows),)), FEW, fold), fold, rows


def test_what_is_said_of_a_fold_is_without_its_labels() -> None:
    """With so few positives that nothing is chosen; those of other folds count."""
    labels = np.zeros(120, np.int8)
    labels[::8] = 1
    before, fold, rows = crossed(labels)
    changed = labels.copy()
    changed[rows[0, fold[0] == 2][:3]] ^= 1
    family = workbench(Block(0, [0]), VECTORS).everyone()
    site = relabelled(target_site(), changed)
    after = family.cross_fit(Plan((Part(site, rows[:1]),)), FEW, fold[:1])
    own = fold[0] == 2
    np.testing.assert_array_equal(after.held[0, own], before.held[0, own])
    assert (after.held[0, ~own] != before.held[0, ~own]).all()


def test_a_replicate_alone_is_what_it_is_among_others() -> None:
    together, _, _ = crossed()
    alone, _, _ = crossed(block=Block(0, [1]))
    np.testing.assert_array_equal(alone.held[0], together.held[1])
    assert torch.equal(alone.fitted.models.linear[0], together.fitted.models.linear[1])
    assert alone.fitted.epochs[0] == together.fitted.epochs[1]
    assert np.isfinite(together.held).all()


def test_where_the_others_hold_one_class_nothing_is_said() -> None:
    labels = np.zeros(120, np.int8)
    budget = draw_budget(target_site().cohort, 0, "50", BLOCK.keys)
    labels[budget.train[0, 0]] = 1
    found, fold, _ = crossed(labels)
    with_positive = fold[0] == fold[0, 0]
    assert np.isnan(found.held[0, with_positive]).all()
    assert np.isfinite(found.held[0, ~with_positive]).all()
    assert not found.fitted.diverged[0]


def test_one_fold_is_what_the_split_sets_apart() -> None:
    """Nothing is said of the others, and the model of all labels has seen both."""
    found, fold, _ = crossed(folds=1)
    assert sorted(set(fold[0].tolist())) == [-1, 0]
    assert np.isnan(found.held[:, fold[0] == -1]).all()
    assert np.isfinite(found.held[:, fold[0] == 0]).all()


def test_a_site_of_one_cluster_is_fitted_although_nothing_can_judge() -> None:
    site = folded_site(clusters=3)
    rows = np.arange(15)[None]
    family = workbench(Block(0, [0]), VECTORS).everyone()
    found = family.cross_fit(Plan((Part(site, rows),)), FEW, np.zeros((1, 15), np.int64))
    assert np.isnan(found.held).all()
    assert found.fitted.diverged == [False]
    probability = family.predict(found.fitted.models, site, rows[0])
    assert np.isfinite(probability).all()


def test_the_fewer_the_labels_the_more_the_folds() -> None:
    folds = LEARNERS["cnn"].folds
    assert [folds(labels, False) for labels in (20, 299, 300, 5000)] == [5, 5, 3, 2]
    assert [folds(labels, True) for labels in (20, 299, 300, 5000)] == [5, 5, 1, 1]


LISTS = {"learning_rate": [1e-6, 0.05], "weight_decay": [1e-3, 30.0], "norm": [1.0, 3.0]}


def fitted(training: Training, folds: NDArray[np.int64], start: Weights | None = None, **settings):
    """What a learner makes of 200 labels, three replicates."""
    site = target_site(count=400)
    rows = draw_budget(site.cohort, 0, "200", BLOCK.keys).joined.train
    family = workbench(BLOCK, VECTORS, **settings).everyone()
    return family.cross_fit(Plan((Part(site, rows),), start=start), training, folds)


def folds_for(count: int) -> NDArray[np.int64]:
    site = target_site(count=400)
    return folds_of_budget(site.cohort, draw_budget(site.cohort, 0, "200", BLOCK.keys), count)


def with_values(**values: object) -> Training:
    changes = {"epochs": 6, "patience": None, "min_epochs": 1, "filters": 6, **values}
    return Training.model_validate({"min_iterations": 1, "tuning_rate": 0.05} | changes)


@pytest.mark.parametrize("pooling", [["max"], ["sum", "mean"]])
def test_settings_and_pooling_are_chosen_by_the_loss_on_labels_left_out(pooling: list[str]) -> None:
    """By hand: each candidate by itself; the networks that say most of what others left out."""
    folds = folds_for(5)
    several = fitted(with_values(**LISTS), folds, pooling=pooling)
    singles = [
        (fitted(with_values(**dict(zip(LISTS, values, strict=True))), folds, pooling=how), how)
        for how in pooling
        for values in product(*LISTS.values())
    ]
    site = target_site(count=400)
    rows = draw_budget(site.cohort, 0, "200", BLOCK.keys).joined.train
    for i in range(3):
        truth = site.labels[rows[i]]
        chosen = [
            number
            for number, (single, how) in enumerate(singles)
            if torch.equal(single.fitted.models.linear[i], several.fitted.models.linear[i])
            and how == POOLINGS[int(several.fitted.models.pooling[i])]
        ]
        losses = [-np.log(one.held[i][np.arange(200), truth]).mean() for one, _ in singles]
        assert chosen  # epochs are nested too, so that the order may change where it is close
        assert losses[chosen[0]] < min(losses) + 0.02
        for fold in range(5):
            own = folds[i] == fold
            assert any(np.array_equal(several.held[i, own], one.held[i, own]) for one, _ in singles)


def test_tuning_keeps_the_pooling_of_each_model_it_starts_from() -> None:
    folds = folds_for(3)
    start = initial_weights(torch.tensor(BLOCK.keys), VECTORS.shape[1], 6)
    mixed = replace(start, pooling=torch.tensor([1, 0, 1], dtype=torch.int8))
    together = fitted(with_values(), folds, mixed)
    assert torch.equal(together.fitted.models.pooling, mixed.pooling)
    for code, places in ((0, [1]), (1, [0, 2])):
        one = replace(start, pooling=torch.full((3,), code, dtype=torch.int8))
        alone = fitted(with_values(), folds, one)
        np.testing.assert_array_equal(alone.held[places], together.held[places])
        assert torch.equal(
            alone.fitted.models.linear[places], together.fitted.models.linear[places]
        )
        assert [alone.fitted.epochs[i] for i in places] == [
            together.fitted.epochs[i] for i in places
        ]


def test_a_bundle_says_its_pooling_and_one_that_does_not_takes_the_maximum(tmp_path: Path) -> None:
    family = workbench(BLOCK, VECTORS).everyone()
    models = fitted(with_values(), folds_for(2), pooling="sum").fitted.models
    family.write(models, tmp_path)
    assert family.read(tmp_path).pooling.tolist() == [1, 1, 1]
    arrays = load_file(tmp_path / "weights.safetensors")
    save_file({k: v for k, v in arrays.items() if k != "pooling"}, tmp_path / "weights.safetensors")
    assert family.read(tmp_path).pooling.tolist() == [0, 0, 0]


def test_seeds_are_networks_of_their_own_whose_logits_are_averaged() -> None:
    folds, fixed = folds_for(3), with_values(epochs=3, min_epochs=3)
    one, three = (fitted(fixed, folds, seeds=seeds) for seeds in (1, 3))
    networks = three.fitted.models.convolution.split(6, 2)
    assert torch.equal(networks[0], one.fitted.models.convolution)
    assert not torch.isclose(networks[1], networks[2]).any()
    site = target_site(count=400)
    family = workbench(BLOCK, VECTORS).everyone()
    rows = np.arange(40)
    logs = [
        np.log(
            family.predict(
                replace(
                    three.fitted.models,
                    convolution=network,
                    convolution_bias=three.fitted.models.convolution_bias.split(6, 1)[i],
                    linear=three.fitted.models.linear.split(6, 1)[i] * 3,
                ),
                *(site, rows),
            )
        )
        for i, network in enumerate(networks)
    ]
    expected = softmax(np.mean(logs, axis=0), axis=-1)
    found = family.predict(three.fitted.models, site, rows)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_tuned_ensemble_is_one_network() -> None:
    folds = folds_for(3)
    ensemble = fitted(with_values(), folds, seeds=2).fitted.models
    tuned = fitted(with_values(), folds, ensemble, seeds=2).fitted.models
    assert tuned.convolution.shape == ensemble.convolution.shape
    assert not torch.equal(tuned.convolution, ensemble.convolution)


def test_the_paper_s_protocol_chooses_no_settings() -> None:
    with pytest.raises(ValueError, match="norm is one number under protocol: gao2024"):
        Training.model_validate({"protocol": "gao2024", "norm": [1, 2]})
