"""L2-SP through the loop of cells, against one plain torch model with the penalty in its loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cell_data import from_source, predict, workbench
from plain_reference import PlainCNN, pad, train
from test_cells import BLOCK, SETTINGS, TOKENS, VECTORS, target_site

from concept_transfer.models.dataset import dataset_of
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.batches import Batches
from concept_transfer.training.block import Block
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import HandedOn

BENCH = workbench(BLOCK, VECTORS)
SOURCE = target_site("source", 600, seed=1)
GIVEN = {"learning_rate": 0.05, "epochs": 6, "fixed_epochs": 6, "patience": None} | {
    "tuning_rate": 0.05,
    "min_iterations": 1,
    "norm": None,
}


def settings(**changes: Any) -> Training:
    return Training.model_validate(
        GIVEN | {"filters": 6, "dropout": 0.0, "momentum": 0.9, "batch_size": 16} | changes
    )


def l2_sp(strength: float) -> dict[str, Any]:
    return {"kind": "l2_sp", "strength": strength}


@pytest.mark.parametrize("width", [4, 30], ids=["direct form", "Gram form"])
def test_it_is_tuning_with_the_penalty_on_the_distance_from_the_source(width: int) -> None:
    """Few labels, so that no epoch is chosen and all that matters is the path of the weights."""
    vectors = torch.randn(TOKENS, width, generator=torch.Generator().manual_seed(4))
    one = Block(0, [0])
    bench, strength, training = workbench(one, vectors), 0.3, settings()
    source = train_source(SOURCE, bench, training)
    labels = (np.arange(120) % 15 == 1).astype(np.int8)
    site = target_site(labels=labels)
    found = predict(bench, site, l2_sp(strength), "all", training, None, source).tested(0)[1]

    start = source.models.to(dtype=torch.float64)
    plain = PlainCNN(vectors.double(), 6, start)
    train_rows, held, test = site.split.parts(0)
    taken = take_batches(site, np.concatenate([train_rows, held]), one, training)
    fixed = [parameter.detach().clone() for parameter in trained(plain)]
    rate = {"lr": training.learning_rate, "momentum": 0.9, "nesterov": True}
    optimizer = torch.optim.SGD(trained(plain), **rate)

    def penalty() -> torch.Tensor:
        pairs = zip(trained(plain), fixed, strict=True)
        return strength / 2 * sum(((now - was) ** 2).sum() for now, was in pairs)

    train(plain, optimizer, taken, penalty)
    with torch.no_grad():
        expected = plain(tokens_of(site, test)).softmax(1)[:, 1].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    moved = predict(bench, site, "full", "all", training, None, source).tested(0)[1]
    assert np.abs(moved - expected).max() > 1e-3


def trained(plain: PlainCNN) -> list[torch.nn.Parameter]:
    return [parameter for parameter in plain.parameters() if parameter.requires_grad]


def tokens_of(site: Site, rows: np.ndarray) -> torch.Tensor:
    held = [site.inputs["findings"][row].tolist() for row in rows]
    return pad(held, TOKENS)


def take_batches(site: Site, rows: np.ndarray, block: Block, training: Training) -> list[Any]:
    """The batches of the replicate, as the plain model takes them."""
    keys = torch.tensor(block.keys)
    batches = Batches(dataset_of(site), torch.from_numpy(rows)[None], keys, training, 2)
    from concept_transfer.training import draws

    taken = []
    for epoch in range(training.fixed_epochs):
        order = draws.order(keys, epoch, len(rows), 0, len(rows))[0].numpy()
        for first in range(0, len(rows), training.batch_size):
            chosen = rows[order[first : first + training.batch_size]]
            labels = torch.from_numpy(site.labels[chosen].astype(np.int64))
            shares = torch.full((len(chosen),), 1 / len(chosen), dtype=torch.float64)
            taken.append((tokens_of(site, chosen), labels, shares, None))
    assert batches.a_pass * training.fixed_epochs == len(taken)
    return taken


def distance(strength: float, source: HandedOn) -> float:
    """How far predictions move from the source's."""
    site = target_site(count=300)
    tuned = predict(BENCH, site, l2_sp(strength), "all", SETTINGS, None, source)
    direct = predict(BENCH, site, "direct", "0", SETTINGS, None, source)
    pairs = ((tuned.tested(i)[1], direct.tested(i)[1]) for i in range(3))
    return float(np.mean([np.abs(a - b).mean() for a, b in pairs]))


def test_the_stronger_it_is_the_closer_it_stays_to_the_source() -> None:
    source = train_source(SOURCE, BENCH, SETTINGS)
    distances = [distance(strength, source) for strength in (0.0, 0.3, 3.0)]
    assert distances[0] > distances[1] > distances[2]


def test_it_replaces_the_decay_towards_zero() -> None:
    """With strength 0 it is full tuning without weight decay."""
    plain = SETTINGS.model_copy(update={"weight_decay": 0.0})
    site = target_site(count=300)
    found = from_source(BENCH, site, l2_sp(0.0), "all", plain, SOURCE)
    full = from_source(BENCH, site, "full", "all", plain, SOURCE)
    for i in range(3):
        np.testing.assert_allclose(found.tested(i)[1], full.tested(i)[1], atol=1e-6)
