"""The trainable convolution in two coordinate systems, each a row of flat parameters.

Gram form. With frozen vectors E the convolution W enters the loss through P = E W alone. A
gradient step with momentum and weight decay keeps W in the family W = s W0 + E' D, where D has
one row a token: its gradient is the gradient at P, and s has gradient zero; both decay like W.
So P = s P0 + K D with the Gram matrix K = E E', and no step depends on the width of E. This is
exact for SGD, not for optimisers that rescale single coordinates (Adam).

Direct form. The parameters are W itself; only the rows of E that a batch touches are projected.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from concept_transfer.models.cnn import project
from concept_transfer.models.pooling import PADDING


class Convolution(Protocol):
    """R convolutions whose parameters are rows of a flat tensor [R, size]."""

    size: int
    tokens: int

    def start(self) -> Tensor:
        """Initial parameters [R, size]."""

    def table(self, parameters: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Projected table [R, rows, filters] and the batch's tokens as row numbers in it."""

    def gradient(self, at_table: Tensor, into: Tensor) -> None:
        """Turn the gradient at the last table [R, rows, filters] into the parameters' [R, size]."""

    def weights(self, parameters: Tensor) -> Tensor:
        """The convolution [R, width, filters]."""

    def select(self, keep: Tensor) -> Convolution:
        """The same for some of the replicates."""


def convolution_for(vectors: Tensor, weights: Tensor, optimizer: str) -> Convolution:
    """The cheaper exact form: Gram for SGD where the vocabulary is smaller than the width.

    vectors: [tokens, width] or [R, tokens, width]; weights: [R, width, filters].
    """
    if optimizer == "sgd" and vectors.shape[-2] <= vectors.shape[-1]:
        return GramConvolution(vectors, weights)
    return DirectConvolution(vectors, weights)


class GramConvolution:
    """Parameters D (one row a token and one for padding) and s."""

    def __init__(self, vectors: Tensor, weights: Tensor) -> None:
        self.vectors, self.initial = vectors, weights
        exact = vectors.double()
        gram = (exact @ exact.mT).to(weights.dtype)
        self.gram = torch.nn.functional.pad(gram, (0, 1, 0, 1))
        self.projection = project(exact, weights.double()).to(weights.dtype)
        self._finish()

    def _finish(self) -> None:
        self.replicates, self.rows, self.filters = self.projection.shape
        self.tokens = self.rows - 1
        self.size = self.rows * self.filters + 1

    def start(self) -> Tensor:
        parameters = self.projection.new_zeros(self.replicates, self.size)
        parameters[:, -1] = 1
        return parameters

    def table(self, parameters: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        dual = parameters[:, :-1].view(-1, self.rows, self.filters)
        decayed = parameters[:, -1, None, None] * self.projection
        gram = self.gram.expand(self.replicates, -1, -1)
        return torch.baddbmm(decayed, gram, dual), tokens

    def gradient(self, at_table: Tensor, into: Tensor) -> None:
        into[:, :-1] = at_table.flatten(1)
        into[:, -1] = 0

    def weights(self, parameters: Tensor) -> Tensor:
        dual = parameters[:, :-1].view(-1, self.rows, self.filters)[:, :-1]
        scale = parameters[:, -1, None, None].double()
        recovered = scale * self.initial.double() + self.vectors.double().mT @ dual.double()
        return recovered.to(self.initial.dtype)

    def select(self, keep: Tensor) -> GramConvolution:
        kept = object.__new__(GramConvolution)
        kept.vectors = self.vectors if self.vectors.dim() == 2 else self.vectors[keep]
        kept.gram = self.gram if self.gram.dim() == 2 else self.gram[keep]
        kept.initial, kept.projection = self.initial[keep], self.projection[keep]
        kept._finish()
        return kept


class DirectConvolution:
    """Parameters W; projects the rows of the table that a batch holds."""

    def __init__(self, vectors: Tensor, weights: Tensor) -> None:
        self.vectors = torch.nn.functional.pad(vectors, (0, 0, 0, 1))
        self.initial = weights
        self.replicates, self.width, self.filters = weights.shape
        self.size = self.width * self.filters
        self.tokens = vectors.shape[-2]
        self.touched = self.vectors

    def start(self) -> Tensor:
        return self.initial.flatten(1).clone()

    def table(self, parameters: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        if tokens.numel() < self.tokens:
            present = torch.zeros(self.tokens + 1, dtype=torch.bool, device=tokens.device)
            present[tokens] = True
            present[self.tokens] = True
            tokens = (present.cumsum(0) - 1)[tokens]
            self.touched = self.vectors[..., present, :]
        else:
            self.touched = self.vectors
        table = self.touched @ self.weights(parameters)
        table[:, -1] = PADDING
        return table, tokens

    def gradient(self, at_table: Tensor, into: Tensor) -> None:
        into.copy_((self.touched.mT @ at_table).flatten(1))

    def weights(self, parameters: Tensor) -> Tensor:
        return parameters.view(-1, self.width, self.filters)

    def select(self, keep: Tensor) -> DirectConvolution:
        vectors = self.vectors if self.vectors.dim() == 2 else self.vectors[keep]
        return DirectConvolution(vectors[..., :-1, :], self.initial[keep])
