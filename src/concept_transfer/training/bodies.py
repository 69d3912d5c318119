"""Where a batch's pooled features come from: a convolution in training, or a frozen one."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights, features, project
from concept_transfer.models.dataset import Dataset
from concept_transfer.models.pooling import (
    at_summands,
    pool,
    pool_with_winners,
    pooled_features,
    total,
)
from concept_transfer.training.convolution import Convolution
from concept_transfer.training.stacking import Stacked, Stacker

STORED_NUMBERS = 1 << 28  # frozen features beyond 1 GiB are computed again for every batch
ROWS_AT_ONCE = 1 << 14


class Body(Protocol):
    """Features of R replicates' encounters; what a batch needs is made ready before its step.

    Its trainable parameters are the first `size` numbers of each replicate's row.
    """

    size: int
    filters: int

    def start(self) -> Tensor:
        """Initial trainable parameters [R, size]."""

    def inputs(self, rows: Tensor) -> list[Any]:
        """What the steps of encounters int64 [steps, R, batch] need, one entry a step."""

    def features(self, parameters: Tensor, inputs: Any) -> Tensor:
        """Features after ReLU [R, batch, filters], remembering what `gradient` needs."""

    def evaluate(self, parameters: Tensor, inputs: Any) -> Tensor:
        """The same features without remembering anything."""

    def gradient(self, at_pooled: Tensor, into: Tensor) -> None:
        """Fill the gradient of the parameters from that at the last `features` before ReLU."""

    def select(self, keep: Tensor) -> Body:
        """The same for some of the replicates."""


class TrainedBody:
    """A convolution and its bias, both trained, and the maximum over findings."""

    def __init__(self, stacker: Stacker, convolution: Convolution, bias: Tensor) -> None:
        """bias: [R, filters]."""
        self.stacker, self.convolution, self.bias = stacker, convolution, bias
        self.filters = bias.shape[1]
        self.size = convolution.size + self.filters

    def start(self) -> Tensor:
        return torch.cat([self.convolution.start(), self.bias], 1)

    def inputs(self, rows: Tensor) -> list[Stacked]:
        return self.stacker.stack(rows, compact=True)

    def features(self, parameters: Tensor, inputs: Stacked) -> Tensor:
        tables = self._tables(parameters, inputs)
        pooled, self._winners = pool_with_winners(tables, inputs.findings)
        self._at_tables, self._touched = torch.zeros_like(tables), inputs.touched
        return self._activate(pooled, parameters)

    def evaluate(self, parameters: Tensor, inputs: Stacked) -> Tensor:
        tables = self._tables(parameters, inputs)
        return self._activate(pool(tables.flatten(0, 1), inputs.findings), parameters)

    def gradient(self, at_pooled: Tensor, into: Tensor) -> None:
        torch.sum(at_pooled, 1, out=self._bias(into))
        at_tables, each = self._at_tables.flatten(1), len(into)
        at_tables.scatter_add_(1, self._winners.view(each, -1), at_pooled.view(each, -1))
        self.convolution.gradient(self._at_tables, self._touched, into[:, : self.convolution.size])

    def weights(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Convolution [R, width, filters] and bias [R, filters] of parameters [R, size]."""
        convolution = self.convolution.weights(parameters[:, : self.convolution.size])
        return convolution, self._bias(parameters)

    def select(self, keep: Tensor) -> TrainedBody:
        return TrainedBody(self.stacker, self.convolution.select(keep), self.bias[keep])

    def _tables(self, parameters: Tensor, inputs: Stacked) -> Tensor:
        return self.convolution.table(parameters[:, : self.convolution.size], inputs.touched)

    def _bias(self, parameters: Tensor) -> Tensor:
        return parameters[:, self.convolution.size : self.size]

    def _activate(self, pooled: Tensor, parameters: Tensor) -> Tensor:
        pooled = pooled.view(len(parameters), -1, self.filters)
        return pooled.add_(self._bias(parameters)[:, None]).relu_()


class SummedBody(TrainedBody):
    """The same with a sum or mean over findings, or the sum beside the maximum."""

    def __init__(
        self, stacker: Stacker, convolution: Convolution, bias: Tensor, pooling: str
    ) -> None:
        super().__init__(stacker, convolution, bias)
        self.pooling, self.mean = pooling, pooling == "mean"

    def features(self, parameters: Tensor, inputs: Stacked) -> Tensor:
        tables = self._tables(parameters, inputs)
        active = (tables + self._bias(parameters)[:, None]).relu_()
        self._active, self._findings, self._touched = active > 0, inputs.findings, inputs.touched
        added = total(active.flatten(0, 1), inputs.findings, self.mean)
        pooled = added.view(len(parameters), -1, self.filters)
        if self.pooling == "max_sum":
            largest, self._winners = pool_with_winners(tables, inputs.findings)
            pooled += self._activate(largest, parameters)
        return pooled

    def evaluate(self, parameters: Tensor, inputs: Stacked) -> Tensor:
        tables, bias = self._tables(parameters, inputs), self._bias(parameters)
        return pooled_features(tables, bias, inputs.findings, self.pooling)

    def gradient(self, at_pooled: Tensor, into: Tensor) -> None:
        each, rows = self._active.shape[:2]
        added = at_summands(at_pooled.flatten(0, 1), self._findings, each * rows, self.mean)
        at_tables = added.view_as(self._active).mul_(self._active)
        if self.pooling == "max_sum":
            numbers = at_tables.view(each, -1)
            numbers.scatter_add_(1, self._winners.view(each, -1), at_pooled.reshape(each, -1))
        torch.sum(at_tables, 1, out=self._bias(into))
        self.convolution.gradient(at_tables, self._touched, into[:, : self.convolution.size])

    def select(self, keep: Tensor) -> SummedBody:
        convolution, bias = self.convolution.select(keep), self.bias[keep]
        return SummedBody(self.stacker, convolution, bias, self.pooling)


class FrozenBody:
    """Features of a convolution that is not trained: computed once where memory allows."""

    size = 0

    def __init__(
        self,
        stacker: Stacker,
        projection: Tensor,
        bias: Tensor,
        known: Tensor,
        store: Tensor,
        pooling: str,
    ) -> None:
        """projection: [R, tokens, filters]; store: [known encounters, R, filters] or none."""
        self.stacker, self.projection, self.bias = stacker, projection, bias
        self.known, self.store, self.pooling = known, store, pooling
        self.filters = bias.shape[1]

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        stacker: Stacker,
        vectors: Tensor,
        weights: Weights,
        rows: Tensor,
        pooling: str,
    ) -> FrozenBody:
        """rows: int64, all encounters that will be asked for; pooling: of `POOLINGS`."""
        projection, bias = project(vectors, weights.convolution), weights.convolution_bias
        known = rows.unique()
        if len(known) * bias.numel() > STORED_NUMBERS:
            known = known[:0]
        parts = [
            features(projection, bias, dataset, part, pooling) for part in known.split(ROWS_AT_ONCE)
        ]
        return cls(stacker, projection, bias, known, torch.cat(parts), pooling)

    def start(self) -> Tensor:
        return self.bias.new_empty(len(self.bias), 0)

    def inputs(self, rows: Tensor) -> list[Tensor]:
        if len(self.known):
            owner = torch.arange(rows.shape[1], device=rows.device)[:, None]
            return list(self.store[torch.searchsorted(self.known, rows.contiguous()), owner])
        return [
            pooled_features(self.projection, self.bias, step.findings, self.pooling)
            for step in self.stacker.stack(rows, compact=False)
        ]

    def features(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        return inputs

    evaluate = features

    def gradient(self, at_pooled: Tensor, into: Tensor) -> None:
        """Nothing is trained here."""

    def select(self, keep: Tensor) -> FrozenBody:
        projection, bias, store = self.projection[keep], self.bias[keep], self.store[:, keep]
        return FrozenBody(self.stacker, projection, bias, self.known, store, self.pooling)
