"""The batches of R replicates, made ready for several steps at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from concept_transfer.models.dataset import Dataset
from concept_transfer.settings.training import Training
from concept_transfer.training import draws
from concept_transfer.training.bodies import Body
from concept_transfer.training.heads import truth_of

NUMBERS_AT_ONCE = 1 << 19  # features of the steps made ready together: a few MB


@dataclass(frozen=True)
class Batch:
    """One step of R replicates.

    inputs: what the body needs; truth: see `heads.truth_of`, [R, batch, S]; shares: each
    encounter's weight in the loss, [R, batch, 1]; scale: dropout, 0 or 1 / (1 - rate),
    [R, batch, filters].
    Shares are relative to the mean weight of all training encounters, not of the batch's, so a
    batch of lightly weighted encounters moves little; equal weights make the plain mean.
    """

    inputs: Any
    truth: Tensor
    shares: Tensor
    scale: Tensor | None


class Batches:
    """Batch number `step` of each replicate: passes over its rows, each in a fresh order."""

    def __init__(
        self, dataset: Dataset, rows: Tensor, keys: Tensor, settings: Training, classes: int = 2
    ) -> None:
        """rows: int64 [R, n], each replicate's encounters; keys: int64 [R]."""
        self.dataset, self.rows, self.keys, self.settings = dataset, rows, keys, settings
        self.classes = classes
        self.length = rows.shape[1]
        self.a_pass = -(-self.length // settings.batch_size)
        self.class_weights, self.mean_weights = _weights(dataset, rows, classes, settings)
        self._first, self._ready = 0, list[Batch]()

    def take(self, step: int, body: Body, dtype: torch.dtype) -> Batch:
        """The batch of a step; steps are cheap to take in order."""
        if not self._first <= step < self._first + len(self._ready):
            self._first, self._ready = step, self._prepare(step, body, dtype)
        return self._ready[step - self._first]

    def select(self, keep: Tensor) -> None:
        """Drop all replicates but these."""
        self.keys = self.keys[keep]
        self.class_weights, self.mean_weights = self.class_weights[keep], self.mean_weights[keep]
        self.rows = keep_rows(self.rows, keep)
        self._ready = []

    def _prepare(self, step: int, body: Body, dtype: torch.dtype) -> list[Batch]:
        replicates, settings = len(self.keys), self.settings
        number, position = divmod(step, self.a_pass)
        full = self.length // settings.batch_size
        batch = settings.batch_size if position < full else self.length % settings.batch_size
        steps = max(1, NUMBERS_AT_ONCE // (replicates * batch * settings.filters))
        steps = min(steps, max(1, full - position))
        first = position * settings.batch_size
        places = draws.order(self.keys, number, self.length, first, first + steps * batch)
        rows = self.rows.gather(1, places).view(replicates, steps, batch).transpose(0, 1)
        labels = self.dataset.labels[rows]
        truth = truth_of(labels, self.classes, dtype)
        weights = self.dataset.weights[rows] * _of_labels(self.class_weights, labels)
        shares = (weights / (batch * self.mean_weights[:, None])).to(dtype)[..., None]
        scales: list[Tensor | None] = [None] * steps
        if settings.dropout:
            kept = draws.keep_masks(
                self.keys, step, step + steps, batch, settings.filters, settings.dropout
            )
            scales = list(kept.to(dtype).mul_(1 / (1 - settings.dropout)))
        ready = zip(body.inputs(rows), truth, shares, scales, strict=True)
        return [Batch(*parts) for parts in ready]


def keep_rows(rows: Tensor, keep: Tensor) -> Tensor:
    """Some replicates' rows; rows that all replicates share stay stored once."""
    return rows[: int(keep.sum())] if rows.stride(0) == 0 else rows[keep]


def _weights(
    dataset: Dataset, rows: Tensor, classes: int, settings: Training
) -> tuple[Tensor, Tensor]:
    """Weight of every class [R, K], and the mean weight of the rows [R], all float64.

    balanced: inverse to the class's frequency among the replicate's rows.
    """
    distinct = rows[:1] if rows.stride(0) == 0 else rows
    labels = dataset.labels[distinct]
    of_class = torch.ones(len(distinct), classes, dtype=torch.float64, device=rows.device)
    if settings.class_weight == "balanced":
        others = [(labels == one).double().mean(1) for one in range(1, classes)]
        shares = torch.stack([1 - torch.stack(others).sum(0), *others], 1)
        of_class = (1 / classes) / shares
    means = (dataset.weights[distinct] * _of_labels(of_class, labels)).mean(1)
    return of_class.expand(len(rows), -1), means.expand(len(rows))


def _of_labels(of_class: Tensor, labels: Tensor) -> Tensor:
    """The number [R, K] of each label's class, [..., R, n] as the labels."""
    return of_class.expand(*labels.shape[:-1], -1).gather(-1, labels.long())
