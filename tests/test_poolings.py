"""Networks that take a sum or mean over findings, against plain torch and its own gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from engine_data import dataset, keys, random_encounters, reference_batches, training
from test_engine import ENCOUNTERS, FORMS, compare, labels_of, train_engine, vectors_of
from torch import Tensor

from concept_transfer.models.cnn import Weights, predict, together
from concept_transfer.models.pooling import POOLINGS
from concept_transfer.settings.training import Training
from concept_transfer.training import bodies
from concept_transfer.training.draws import initial_weights, low_rank_basis
from concept_transfer.training.engine import ALL_WEIGHTS, Tuning
from concept_transfer.training.optimizers import Decay

every_pooling = pytest.mark.parametrize("pooling", POOLINGS)
ANCHORED = Tuning(decay=Decay(lambda parameters, start: parameters - start))


def start_of(width: int, pooling: str, classes: int = 2, filters: int = 5) -> Weights:
    return initial_weights(keys(0, 1), width, filters, classes, torch.float64, pooling)


@every_pooling
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("tuning", [ALL_WEIGHTS, Tuning(frozen=True), ANCHORED])
@FORMS
def test_steps_equal_the_plain_model(
    tuning: Tuning, classes: int, pooling: str, width: int, optimizer: str, form: type
) -> None:
    settings = training(dropout=0.3, optimizer=optimizer, learning_rate=0.01)
    start = start_of(width, pooling, classes)
    options = {"start": start, "tuning": tuning, "classes": classes, "steps": 60}
    body = compare(ENCOUNTERS, vectors_of(12, width), settings, **options)
    assert tuning.frozen or isinstance(body.convolution, form)


@every_pooling
@pytest.mark.parametrize("width", [300, 7])
def test_batches_that_touch_a_small_part_of_the_vocabulary(width: int, pooling: str) -> None:
    encounters = random_encounters(60, 200, 4, seed=2)
    vectors = vectors_of(2, 200, width) / width**0.5
    compare(encounters, vectors, training(), steps=40, start=start_of(width, pooling))


@every_pooling
def test_frozen_features_that_are_not_stored(pooling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "STORED_NUMBERS", 0)
    options = {"start": start_of(30, pooling), "tuning": Tuning(frozen=True), "steps": 30}
    compare(ENCOUNTERS, vectors_of(12, 30), training(), **options)


def pooled(active: Tensor, tokens: Tensor, pooling: str) -> Tensor:
    """Features [n, filters] of token values after ReLU [tokens + 1, filters], the last of none."""
    held = active[tokens]
    largest, added = held.amax(1), held.sum(1)
    length = (tokens < len(active) - 1).sum(1, keepdim=True).clamp(min=1)
    return {"max": largest, "sum": added, "mean": added / length, "max_sum": largest + added}[
        pooling
    ]


def descend(
    start: Weights, basis: Tensor, vectors: Tensor, settings: Training, steps: int, body_rate: float
) -> list[Tensor]:
    """A, B, bias, linear and its bias of replicate 0 after steps by autograd, W0 + A B."""
    pooling = POOLINGS[int(start.pooling[0])]
    fixed = start.convolution[0]
    free = [
        basis[0],
        torch.zeros(basis.shape[2], fixed.shape[1]).double(),
        start.convolution_bias[0],
    ]
    free = [
        part.clone().requires_grad_() for part in (*free, start.linear[0], start.linear_bias[0])
    ]
    body, head = free[:3], free[3:]
    rate = settings.learning_rate
    optimizer = torch.optim.SGD(
        [{"params": body, "lr": rate * body_rate}, {"params": head, "lr": rate}],
        lr=rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=settings.weight_decay,
    )
    data, rows = dataset(ENCOUNTERS, labels_of(ENCOUNTERS)), torch.arange(len(ENCOUNTERS))
    for tokens, labels, shares, scale in reference_batches(
        ENCOUNTERS, data, rows, keys(0), settings, steps, len(vectors)
    ):
        first, second, bias, linear, linear_bias = free
        active = (vectors @ (fixed + first @ second) + bias).relu()
        active = torch.cat([active, active.new_zeros(1, active.shape[1])])
        logits = pooled(active, tokens, pooling) * scale @ linear + linear_bias
        loss = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        optimizer.zero_grad()
        (loss * shares).sum().backward()
        optimizer.step()
    return [part.detach() for part in free]


@every_pooling
def test_an_update_of_low_rank_equals_its_factors_by_autograd(pooling: str) -> None:
    settings, vectors = training(learning_rate=0.02), vectors_of(12, 30)
    start = start_of(30, pooling).select([0])
    basis = low_rank_basis(keys(0), 30, 4, torch.float64)
    first, second, bias, linear, linear_bias = descend(start, basis, vectors, settings, 50, 1.0)
    data, rows = dataset(ENCOUNTERS, labels_of(ENCOUNTERS)), torch.arange(len(ENCOUNTERS))[None]
    found, _, _ = train_engine(*(data, vectors, rows, keys(0), start, settings, 50), Tuning(rank=4))
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(found.convolution[0], start.convolution[0] + first @ second, **close)
    torch.testing.assert_close(found.convolution_bias[0], bias, **close)
    torch.testing.assert_close(found.linear[0], linear, **close)
    torch.testing.assert_close(found.linear_bias[0], linear_bias, **close)


@every_pooling
def test_an_ensemble_is_one_network_of_all_filters(pooling: str) -> None:
    """The probabilities are those of the mean logits."""
    data, rows = dataset(ENCOUNTERS, labels_of(ENCOUNTERS, classes=3)), torch.arange(45)
    vectors = vectors_of(12, 30)
    ensemble = [
        initial_weights(keys(i, i + 1), 30, 5, 3, torch.float64, pooling) for i in (1, 5, 9)
    ]
    logs = [predict(each, vectors, data, rows).log() for each in ensemble]
    expected = torch.stack(logs).mean(0).softmax(-1)
    torch.testing.assert_close(predict(together(ensemble), vectors, data, rows), expected)


def test_networks_of_different_pooling_predict_side_by_side() -> None:
    data, rows, vectors = dataset(ENCOUNTERS, [0] * 45), torch.arange(45), vectors_of(2, 12, 30)
    one = start_of(30, "max")
    mixed = replace(one, pooling=torch.tensor([2, 0], dtype=torch.int8))
    found = predict(mixed, vectors, data, rows)
    torch.testing.assert_close(found[1], predict(one, vectors, data, rows)[1])
    torch.testing.assert_close(found[0], predict(start_of(30, "mean"), vectors, data, rows)[0])
