"""Strategies that tune in stages, against plain torch models tuned in the same stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cell_data import predict, workbench
from plain_reference import PlainCNN, train
from test_cells import TOKENS, target_site
from test_l2_sp import settings, take_batches, tokens_of, trained

from concept_transfer.settings.training import Training
from concept_transfer.strategies import STRATEGIES
from concept_transfer.training.block import Block
from concept_transfer.training.cells import run_cell
from concept_transfer.training.draws import low_rank_basis
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import HandedOn, Work, Workbench

ONE = Block(0, [0])
SOURCE = target_site("source", 600, seed=1)
LABELS = (np.arange(120) % 15 == 1).astype(np.int8)
SITE = target_site(labels=LABELS)  # so few positives that no epoch is chosen

FORMS = pytest.mark.parametrize("width", [4, 30], ids=["direct form", "Gram form"])
OPTIMIZERS = pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
Stage = tuple[list[dict[str, Any]], int]


def source_of(width: int, training: Training) -> tuple[Workbench, torch.Tensor, HandedOn]:
    vectors = torch.randn(TOKENS, width, generator=torch.Generator().manual_seed(4))
    bench = workbench(ONE, vectors)
    return bench, vectors, train_source(SOURCE, bench, training)


def plainly(
    training: Training, vectors: torch.Tensor, source: HandedOn, stages: Callable[..., list[Stage]]
) -> np.ndarray:
    """Test probabilities of the source's plain model after `tuned`."""
    plain = PlainCNN(vectors.double(), 6, source.models.to(dtype=torch.float64))
    return tuned(plain, training, stages)


def tuned(plain: PlainCNN, training: Training, stages: Callable[..., list[Stage]]) -> np.ndarray:
    """Test probabilities of a plain model; stages: of a model, (groups of parameters, epochs)."""
    *labelled, test = SITE.split.parts(0)
    batches = take_batches(SITE, np.concatenate(labelled), ONE, training)
    a_pass = len(batches) // training.fixed_epochs
    for groups, epochs in stages(plain):
        options = {"lr": training.tuning_rate, "weight_decay": training.weight_decay}
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(groups, **options)
        if training.optimizer == "sgd":
            optimizer = torch.optim.SGD(groups, momentum=0.9, nesterov=True, **options)
        train(plain, optimizer, batches[: a_pass * epochs])
    with torch.no_grad():
        probability: np.ndarray = plain(tokens_of(SITE, test)).softmax(1)[:, 1].numpy()
    return probability


@FORMS
@OPTIMIZERS
def test_lp_ft_is_tuning_of_the_last_layer_and_then_of_all(width: int, optimizer: str) -> None:
    training = settings(optimizer=optimizer, weight_decay=0.01)
    bench, vectors, source = source_of(width, training)

    def stages(plain: PlainCNN) -> list[Stage]:
        return [([{"params": plain.linear.parameters()}], 6), ([{"params": trained(plain)}], 6)]

    found = predict(bench, SITE, "lp_ft", "all", training, None, source).tested(0)[1]
    np.testing.assert_allclose(found, plainly(training, vectors, source, stages), atol=1e-5)
    for kind in ("linear", "full"):
        other = predict(bench, SITE, kind, "all", training, None, source).tested(0)[1]
        assert np.abs(other - found).max() > 1e-4


@FORMS
@OPTIMIZERS
def test_discriminative_tuning_has_a_lower_rate_below_the_last_layer(
    width: int, optimizer: str
) -> None:
    training = settings(optimizer=optimizer, weight_decay=0.01)
    bench, vectors, source = source_of(width, training)
    rate = training.tuning_rate

    def stages(plain: PlainCNN) -> list[Stage]:
        body = {"params": plain.convolution.parameters(), "lr": rate / 4}
        head = {"params": list(plain.linear.parameters())}
        return [([head], 2), ([body, head], 6)]

    chosen = {"kind": "discriminative", "ratio": 4, "frozen_epochs": 2}
    found = predict(bench, SITE, chosen, "all", training, None, source).tested(0)[1]
    np.testing.assert_allclose(found, plainly(training, vectors, source, stages), atol=1e-5)
    equal = predict(bench, SITE, chosen | {"ratio": 1}, "all", training, None, source)
    assert np.abs(equal.tested(0)[1] - found).max() > 1e-3


class LowRankCNN(PlainCNN):
    """The plain model with an update A B beside its convolution, which is not trained."""

    def __init__(self, vectors: torch.Tensor, source: HandedOn, basis: torch.Tensor) -> None:
        super().__init__(vectors, 6, source.models.to(dtype=torch.float64))
        self.convolution.weight.requires_grad_(False)
        self.first = torch.nn.Parameter(basis)
        self.second = torch.nn.Parameter(basis.new_zeros(basis.shape[1], 6))

    def forward(self, tokens: torch.Tensor, dropout: None = None) -> torch.Tensor:
        update = (self.first @ self.second).T[..., None]
        embedded = self.embedding(tokens).transpose(1, 2)
        weight, bias = self.convolution.weight + update, self.convolution.bias
        activated = torch.nn.functional.conv1d(embedded, weight, bias).relu()
        return self.linear(activated.masked_fill((tokens == TOKENS)[:, None], 0).max(2).values)


@FORMS
@OPTIMIZERS
@pytest.mark.parametrize("rank", [1, 3])
def test_a_low_rank_update_is_trained_beside_fixed_weights(
    width: int, optimizer: str, rank: int
) -> None:
    training = settings(optimizer=optimizer, weight_decay=0.01)
    bench, vectors, source = source_of(width, training)
    chosen = {"kind": "low_rank", "rank": rank}
    found = predict(bench, SITE, chosen, "all", training, None, source).tested(0)[1]
    basis = low_rank_basis(torch.tensor(ONE.keys), width, rank, torch.float64)[0]
    plain = LowRankCNN(vectors.double(), source, basis)
    expected = tuned(plain, training, lambda model: [([{"params": trained(model)}], 6)])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    full = predict(bench, SITE, "full", "all", training, None, source).tested(0)[1]
    assert np.abs(full - found).max() > 1e-3


def test_the_update_has_its_rank_and_the_fixed_weights_stay() -> None:
    training = settings()
    bench, _, source = source_of(30, training)
    section = STRATEGIES["low_rank"].settings.model_validate({"kind": "low_rank", "rank": 2})
    _, fitted = run_cell(bench, Work(section, "all", training, SITE, None, source))
    update = (fitted.models.convolution - source.models.convolution)[0].double()
    strengths = torch.linalg.svdvals(update)
    assert strengths[1] > 1e-3
    assert strengths[2] < 1e-5


def test_its_random_basis_keeps_norms_on_average() -> None:
    basis = low_rank_basis(torch.arange(200), 30, 4, torch.float64)
    vectors = torch.randn(10, 30, dtype=torch.float64)
    ratio = (vectors @ basis).square().sum(2) / vectors.square().sum(1)
    assert float(ratio.mean()) == pytest.approx(1, abs=0.1)


def test_a_stage_goes_on_from_the_best_of_the_one_before() -> None:
    """With a validation part: lp_ft is full tuning of what linear tuning kept, and the epochs of
    both are counted."""
    block, site = Block(0, [0, 1, 2]), target_site(count=300)
    training = settings(protocol="gao2024", epochs=8, patience=3, tuning_rate=0.2)
    vectors = torch.randn(TOKENS, 30, generator=torch.Generator().manual_seed(4))
    bench = workbench(block, vectors)
    source = train_source(SOURCE, bench, training)
    both = predict(bench, site, "lp_ft", "all", training, None, source)
    first = predict(bench, site, "linear", "all", training, None, source)
    linear = STRATEGIES["linear"].settings.model_validate({"kind": "linear"})
    _, kept = run_cell(bench, Work(linear, "all", training, site, None, source))
    probed = HandedOn(kept.models, source.records)
    second = predict(bench, site, "full", "all", training, None, probed)
    for replicate in range(3):
        np.testing.assert_array_equal(both.tested(replicate)[1], second.tested(replicate)[1])
        epochs = [each.records[replicate]["epochs"] for each in (both, first, second)]
        assert epochs[0] == epochs[1] + epochs[2]
    assert any(record["epochs"] for record in first.records)


def test_a_replicate_that_diverges_in_any_stage_has_diverged() -> None:
    training = settings()
    bench, _, source = source_of(30, training)
    wild = training.model_copy(update={"tuning_rate": 1e20})
    tuned = predict(bench, target_site(), "lp_ft", "all", wild, None, source)
    assert [record["status"] for record in tuned.records] == ["diverged"]
