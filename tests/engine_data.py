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
        {"learning_rate": 0.05, "batch_size": 8, "filters": 5, "min_iterations": 1, "min_epochs": 1}
        | {"weight_decay": 1e-3}
        | settings
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
    step, weights = 0, data.weights.double()
    if settings.class_weight == "balanced":
        labels = data.labels[rows].tolist()
        classes = int(data.labels.max()) + 1
        of_class = [len(labels) / classes / max(1, labels.count(one)) for one in range(classes)]
        weights = weights * torch.tensor(of_class, dtype=torch.float64)[data.labels.long()]
    mean_weight = weights[rows].mean()
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
                weights[chosen] / (len(chosen) * mean_weight),
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
    anchored: bool = False,
) -> tuple[PlainCNN, list[float]]:
    """One plain model in float64, and its loss before each step.

    anchored: decay towards the start: for SGD a penalty of strength / 2 * |w - w0|**2 (Li,
    Grandvalet, Davoine 2018, arXiv 1802.01483), for AdamW apart from the gradient.
    """
    classes = start.linear.shape[2]
    model = PlainCNN(vectors.double(), settings.filters, start.to(dtype=torch.float64), classes)
    parameters = list(model.linear.parameters() if frozen else model.parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    strength = 0.0 if anchored else settings.weight_decay
    if settings.optimizer == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            trained,
            settings.learning_rate,
            settings.momentum,
            weight_decay=strength,
            nesterov=settings.momentum > 0,
        )
    else:
        optimizer = torch.optim.AdamW(trained, settings.learning_rate, weight_decay=strength)
    batches = reference_batches(encounters, data, rows, key, settings, steps, model.padding)
    if not anchored:
        return model, train(model, optimizer, batches)
    anchors = [parameter.detach().clone() for parameter in trained]

    def penalty() -> Tensor:
        squares = [((w - w0) ** 2).sum() for w, w0 in zip(trained, anchors, strict=True)]
        return settings.weight_decay / 2 * torch.stack(squares).sum()

    def shrink(*_: object) -> None:
        with torch.no_grad():
            for w, w0 in zip(trained, anchors, strict=True):
                w -= settings.learning_rate * settings.weight_decay * (w - w0)

    if settings.optimizer == "sgd":
        return model, train(model, optimizer, batches, penalty)
    optimizer.register_step_pre_hook(shrink)
    return model, train(model, optimizer, batches)
