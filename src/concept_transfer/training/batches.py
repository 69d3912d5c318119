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
LEAST = torch.finfo(torch.float64).tiny  # in place of 0 under a fraction
PLACES_AT_ONCE = 1 << 14  # of short passes whose orders are drawn together


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
        self,
        dataset: Dataset,
        rows: Tensor,
        keys: Tensor,
        settings: Training,
        classes: int = 2,
        trained: Tensor | None = None,
        sharing: int = 1,
    ) -> None:
        """rows: int64 [R, n], each replicate's encounters; keys: int64 [R]; trained: bool [R, n],
        which of them have a weight in the loss (None: all); sharing: so many replicates in a row
        have the same key."""
        self.dataset, self.rows, self.keys, self.settings = dataset, rows, keys, settings
        self.classes, self.trained, self.sharing = classes, trained, sharing
        self.length = rows.shape[1]
        self.a_pass = -(-self.length // settings.batch_size)
        self.class_weights, self.mean_weights = _weights(dataset, rows, trained, classes, settings)
        self._first, self._ready = 0, list[Batch]()
        self._passes, self._orders = range(0), torch.empty(0)

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
        self.trained = None if self.trained is None else self.trained[keep]
        self._ready, self._passes = [], range(0)

    def _prepare(self, step: int, body: Body, dtype: torch.dtype) -> list[Batch]:
        replicates, settings = len(self.keys), self.settings
        number, position = divmod(step, self.a_pass)
        full = self.length // settings.batch_size
        batch = settings.batch_size if position < full else self.length % settings.batch_size
        steps = max(1, NUMBERS_AT_ONCE // (replicates * batch * settings.filters))
        steps = min(steps, max(1, full - position))
        first = position * settings.batch_size
        places = self._places(number, first, first + steps * batch)
        rows = self.rows.gather(1, places).view(replicates, steps, batch).transpose(0, 1)
        labels = self.dataset.labels[rows]
        truth = truth_of(labels, self.classes, dtype)
        weights = self.dataset.weights[rows] * _of_labels(self.class_weights, labels)
        if self.trained is not None:
            trained = self.trained.gather(1, places).view(replicates, steps, batch)
            weights = weights * trained.transpose(0, 1)
        shares = (weights / (batch * self.mean_weights[:, None])).to(dtype)[..., None]
        scales: list[Tensor | None] = [None] * steps
        if settings.dropout:
            kept = draws.keep_masks(
                self._keys, step, step + steps, batch, settings.filters, settings.dropout
            )
            scale = kept.to(dtype).mul_(1 / (1 - settings.dropout))
            scales = list(scale.repeat_interleave(self.sharing, 1))
        ready = zip(body.inputs(rows), truth, shares, scales, strict=True)
        return [Batch(*parts) for parts in ready]

    @property
    def _keys(self) -> Tensor:
        """Each key once."""
        return self.keys[:: self.sharing]

    def _places(self, number: int, first: int, last: int) -> Tensor:
        """See `draws.order`, [R, last - first]; those of short passes are drawn ahead."""
        passes = PLACES_AT_ONCE // (len(self._keys) * self.length)
        if not passes:
            places = draws.order(self._keys, number, self.length, first, last)
        else:
            if number not in self._passes:
                self._passes = range(number, number + passes)
                self._orders = draws.orders(self._keys, self._passes, self.length, 0, self.length)
            places = self._orders[number - self._passes.start][:, first:last]
        return places.repeat_interleave(self.sharing, 0)


def keep_rows(rows: Tensor, keep: Tensor) -> Tensor:
    """Some replicates' rows; rows that all replicates share stay stored once."""
    return rows[: int(keep.sum())] if rows.stride(0) == 0 else rows[keep]


def _weights(
    dataset: Dataset, rows: Tensor, trained: Tensor | None, classes: int, settings: Training
) -> tuple[Tensor, Tensor]:
    """Weight of every class [R, K], and the mean weight of the rows [R], all float64.

    balanced: inverse to the class's frequency among the replicate's rows that are trained on.
    """
    distinct = rows[:1] if rows.stride(0) == 0 and trained is None else rows
    labels = dataset.labels[distinct]
    taken = torch.ones_like(labels, dtype=torch.float64) if trained is None else trained.double()
    of_class = torch.ones(len(distinct), classes, dtype=torch.float64, device=rows.device)
    if settings.class_weight == "balanced":
        others = [((labels == one) * taken).mean(1) for one in range(1, classes)]
        shares = torch.stack([taken.mean(1) - torch.stack(others).sum(0), *others], 1)
        of_class = (1 / classes) / shares.clamp(min=LEAST)
    means = (dataset.weights[distinct] * _of_labels(of_class, labels) * taken).mean(1)
    return of_class.expand(len(rows), -1), means.clamp(min=LEAST).expand(len(rows))


def _of_labels(of_class: Tensor, labels: Tensor) -> Tensor:
    """The number [R, K] of each label's class, [..., R, n] as the labels."""
    return of_class.expand(*labels.shape[:-1], -1).gather(-1, labels.long())
