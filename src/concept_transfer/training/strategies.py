"""What each strategy trains on and where it starts; one function a strategy, found by name.

`direct` trains nothing: the source model is applied as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from concept_transfer.cohorts.budget import Budget, Rows, are_same
from concept_transfer.models.cnn import Weights
from concept_transfer.models.dataset import Dataset, concatenate, dataset_of
from concept_transfer.sites.site import Site


@dataclass(frozen=True)
class Plan:
    """Rows to train and validate on, [R, n] and [R, m]; `start` None means untrained weights."""

    dataset: Dataset
    train: Tensor
    validation: Tensor
    start: Weights | None
    frozen: bool = False


Strategy = Callable[[Site, Budget, Site | None, Weights | None, float], Plan]


def local(
    target: Site, budget: Budget, source: Site | None, model: Weights | None, weight: float
) -> Plan:
    """Target encounters alone, from untrained weights."""
    return Plan(dataset_of(target), *_tensors(budget), None)


def linear(
    target: Site, budget: Budget, source: Site | None, model: Weights | None, weight: float
) -> Plan:
    """Tune the source model's linear layer; its convolution stays."""
    return Plan(dataset_of(target), *_tensors(budget), model, frozen=True)


def full(
    target: Site, budget: Budget, source: Site | None, model: Weights | None, weight: float
) -> Plan:
    """Tune all weights of the source model."""
    return Plan(dataset_of(target), *_tensors(budget), model)


def pooled(
    target: Site, budget: Budget, source: Site | None, model: Weights | None, weight: float
) -> Plan:
    """Source and target encounters together; validated on the target alone."""
    assert source is not None
    train, validation = _tensors(budget)
    extra = torch.from_numpy(source.split.source_parts()[0]) + len(target.labels)
    if are_same(budget.train):
        train = torch.cat([train[0], extra]).expand(len(train), -1)
    else:
        train = torch.cat([train, extra.expand(len(train), -1)], 1)
    dataset = concatenate([dataset_of(target), dataset_of(source, weight)])
    return Plan(dataset, train, validation, None)


def _tensors(budget: Budget) -> tuple[Tensor, Tensor]:
    return _tensor(budget.train), _tensor(budget.validation)


def _tensor(rows: Rows) -> Tensor:
    if are_same(rows):
        return torch.from_numpy(rows[0].copy()).expand(len(rows), -1)
    return torch.from_numpy(rows)


STRATEGIES: dict[str, Strategy] = {
    "local": local,
    "linear": linear,
    "full": full,
    "pooled": pooled,
}
