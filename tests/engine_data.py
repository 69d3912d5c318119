"""Small random sites, and the plain reference trained on the engine's own draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from plain_reference import PlainCNN, pad, train
from torch import Tensor

from concept_transfer.cohorts.budget import replicate_key
from concept_transfer.models.cnn import Weights
from concept_transfer.models.dataset import Dataset
from concept_transfer.settings.training import Training
from concept_transfer.training import draws

torch.set_num_threads(1)

Encounters = list[list[int]]


def random_encounters(
    count: int, tokens: int, longest: int, seed: int, shortest: int = 0
) -> Encounters:
    """Token lists of mixed length, with repetitions and empty ones."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, count)
    return [rng.integers(0, tokens, length).tolist() for length in lengths]


def dataset(encounters: Encounters, labels: list[int], weights: Tensor | None = None) -> Dataset:
    lengths = torch.tensor([len(tokens) for tokens in encounters])
    return Dataset(
        torch.nn.functional.pad(lengths.cumsum(0), (1, 0)),
        torch.tensor([token for tokens in encounters for token in tokens], dtype=torch.int32),
        torch.tensor(labels, dtype=torch.int8),
        torch.ones(len(labels)) if weights is None else weights,
    )


def keys(*replicates: int) -> Tensor:
    return torch.tensor([replicate_key(0, replicate) for replicate in replicates])


def training(**settings: object) -> Training:
    return Training.model_validate(
        {"learning_rate": 0.05, "batch_size": 8, "filters": 5} | settings
    )


def reference_batches(
    encounters: Encounters,
    data: Dataset,
    rows: Tensor,
    key: Tensor,
    settings: Training,
    steps: int,
    padding: int,
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
    """The batches of one replicate as a loop over its rows would draw them."""
    step, mean_weight = 0, data.weights[rows].double().mean()
    for number in range(steps):
        for places in draws.order(key, number, len(rows), 0, len(rows))[0].split(
            settings.batch_size
        ):
            if step == steps:
                return
            chosen = rows[places]
            kept = draws.keep_masks(
                key, step, step + 1, len(chosen), settings.filters, settings.dropout
            )
            yield (
                pad([encounters[row] for row in chosen.tolist()], padding),
                data.labels[chosen].long(),
                data.weights[chosen].double() / (len(chosen) * mean_weight),
                kept[0, 0].double() / (1 - settings.dropout) if settings.dropout else None,
            )
            step += 1


def train_reference(
    encounters: Encounters,
    data: Dataset,
    rows: Tensor,
    key: Tensor,
    settings: Training,
    steps: int,
    vectors: Tensor,
    start: Weights,
    frozen: bool = False,
) -> tuple[PlainCNN, list[float]]:
    """One plain model in float64, and its loss before each step."""
    model = PlainCNN(vectors.double(), settings.filters, start.to(dtype=torch.float64))
    parameters = list(model.linear.parameters() if frozen else model.parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if settings.optimizer == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            trained,
            settings.learning_rate,
            settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
        )
    else:
        optimizer = torch.optim.AdamW(
            trained, settings.learning_rate, weight_decay=settings.weight_decay
        )
    batches = reference_batches(encounters, data, rows, key, settings, steps, model.padding)
    return model, train(model, optimizer, batches)
