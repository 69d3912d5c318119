"""Where a batch's pooled features come from: a convolution in training, or frozen features."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights, features, project
from concept_transfer.models.dataset import Dataset
from concept_transfer.models.pooling import pool, pool_with_winners
from concept_transfer.training.convolution import Convolution


class Body(Protocol):
    """Features of R replicates' encounters; `places` int64 [R, batch] index each one's rows."""

    size: int

    def start(self) -> Tensor:
        """Initial trainable parameters [R, size]."""

    def features(self, parameters: Tensor, places: Tensor) -> Tensor:
        """Features after ReLU [R, batch, filters], remembering what `gradient` needs."""

    def evaluate(self, parameters: Tensor, places: Tensor) -> Tensor:
        """The same features without remembering anything."""

    def gradient(self, at_features: Tensor, into: Tensor) -> None:
        """Fill [R, size] from the gradient at the last `features`."""

    def select(self, keep: Tensor) -> Body:
        """The same for some of the replicates."""


class TrainedBody:
    """A convolution and its bias, both trained."""

    def __init__(
        self, dataset: Dataset, rows: Tensor, convolution: Convolution, bias: Tensor
    ) -> None:
        """rows: int64 [R, n], the encounters that places refer to; bias: [R, filters]."""
        self.dataset, self.rows, self.convolution, self.bias = dataset, rows, convolution, bias
        self.filters = bias.shape[1]
        self.size = convolution.size + self.filters

    def start(self) -> Tensor:
        return torch.cat([self.convolution.start(), self.bias], 1)

    def features(self, parameters: Tensor, places: Tensor) -> Tensor:
        table, tokens = self._table(parameters, places)
        pooled, self._winners = pool_with_winners(table.flatten(0, 1), tokens)
        self._table_shape = table.shape
        self._features = self._activate(pooled, parameters, places)
        return self._features

    def evaluate(self, parameters: Tensor, places: Tensor) -> Tensor:
        table, tokens = self._table(parameters, places)
        return self._activate(pool(table.flatten(0, 1), tokens), parameters, places)

    def gradient(self, at_features: Tensor, into: Tensor) -> None:
        at_pooled = at_features * (self._features > 0)
        into[:, self.convolution.size :] = at_pooled.sum(1)
        at_table = at_pooled.new_zeros(self._table_shape)
        columns = torch.arange(self.filters, device=at_pooled.device)
        at_table.view(-1).index_add_(
            0, (self._winners * self.filters + columns).view(-1), at_pooled.reshape(-1)
        )
        self.convolution.gradient(at_table, into[:, : self.convolution.size])

    def select(self, keep: Tensor) -> TrainedBody:
        return TrainedBody(
            self.dataset, self.rows[keep], self.convolution.select(keep), self.bias[keep]
        )

    def _table(self, parameters: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        rows = self.rows.gather(1, places)
        tokens = self.dataset.token_matrix(rows.view(-1), self.convolution.tokens)
        table, tokens = self.convolution.table(parameters[:, : self.convolution.size], tokens)
        first_rows = torch.arange(len(table), device=table.device) * table.shape[1]
        return table, tokens + first_rows.repeat_interleave(places.shape[1])

    def _activate(self, pooled: Tensor, parameters: Tensor, places: Tensor) -> Tensor:
        bias = parameters[:, None, self.convolution.size :]
        return (pooled.view(*places.shape, self.filters) + bias).relu_()


class FrozenBody:
    """Features of a convolution that is not trained, computed once."""

    size = 0

    def __init__(self, features: Tensor) -> None:
        """features: [R, n, filters] in the order of places."""
        self.frozen = features

    @classmethod
    def of(cls, dataset: Dataset, rows: Tensor, vectors: Tensor, weights: Weights) -> FrozenBody:
        """rows: int64 [R, n]; vectors: [tokens, width] or [R, tokens, width]."""
        tables = project(vectors, weights.convolution)[:, None]
        biases = weights.convolution_bias[:, None]
        each = zip(tables, biases, rows, strict=True)
        return cls(torch.cat([features(table, bias, dataset, own) for table, bias, own in each]))

    def start(self) -> Tensor:
        return self.frozen.new_empty(len(self.frozen), 0)

    def features(self, parameters: Tensor, places: Tensor) -> Tensor:
        replicates = torch.arange(len(places), device=places.device)
        return self.frozen[replicates[:, None], places]

    evaluate = features

    def gradient(self, at_features: Tensor, into: Tensor) -> None:
        """Nothing is trained here."""

    def select(self, keep: Tensor) -> FrozenBody:
        return FrozenBody(self.frozen[keep])
