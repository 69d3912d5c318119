"""The trainable convolution in three forms, each a row of flat parameters.

Gram form. With frozen vectors E the convolution W enters the loss through P = E W alone. A
gradient step with momentum and weight decay keeps W in the family W = s W0 + E' D, where D has
one row a token: its gradient is the gradient at P, and s has gradient zero; both decay like W.
So P = s P0 + K D with the Gram matrix K = E E', and no step depends on the width of E. This is
exact for SGD, not for optimisers that rescale single coordinates (Adam). Orthogonal vectors
(one-hot) have a diagonal K, and the product falls away.

Direct form. The parameters are W itself.

Low-rank form. W = W0 + A B with the parameters A [width, rank] and B [rank, filters]; W0 stays.

Either projects all tokens, or only those that a replicate's batch touches: `touched`, int64
[R, rows], fewer where the vocabulary is large.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from concept_transfer.models.cnn import project

# of the widest vector instructions; products of other widths round by the number of replicates
RANK_MULTIPLE = 16


class Convolution(Protocol):
    """R convolutions whose parameters are rows of a flat tensor [R, size]."""

    size: int
    tokens: int

    def start(self) -> Tensor:
        """Initial parameters [R, size]."""

    def table(self, parameters: Tensor, touched: Tensor | None) -> Tensor:
        """Projected tokens [R, rows, filters], overwritten by the next call."""

    def gradient(self, at_table: Tensor, touched: Tensor | None, into: Tensor) -> None:
        """Turn the gradient at the table [R, rows, filters] into the parameters' [R, size]."""

    def weights(self, parameters: Tensor) -> Tensor:
        """The convolution [R, width, filters]."""

    def select(self, keep: Tensor) -> Convolution:
        """The same for some of the replicates."""


def convolution_for(vectors: Tensor, weights: Tensor, optimizer: str) -> Convolution:
    """The cheaper exact form: Gram for SGD where the vocabulary does not exceed the width.

    vectors: [tokens, width] or [R, tokens, width]; weights: [R, width, filters].
    """
    if optimizer == "sgd" and vectors.shape[-2] <= vectors.shape[-1]:
        return GramConvolution.of(vectors, weights)
    return DirectConvolution(vectors, weights)


class GramConvolution:
    """Parameters D (one row a token) and s."""

    def __init__(self, vectors: Tensor, initial: Tensor, gram: Tensor, projection: Tensor) -> None:
        """gram: K as [1 or R, tokens, tokens], or its diagonal as [1 or R, tokens, 1]."""
        self.vectors, self.initial, self.gram = vectors, initial, gram
        self.projection = projection
        self.replicates, self.tokens, self.filters = projection.shape
        self.size = self.tokens * self.filters + 1
        self._table = torch.empty_like(projection)

    @classmethod
    def of(cls, vectors: Tensor, weights: Tensor) -> GramConvolution:
        exact = vectors.double()
        gram = exact @ exact.mT
        diagonal = gram.diagonal(dim1=-2, dim2=-1)
        if not bool((gram.count_nonzero((-2, -1)) > diagonal.count_nonzero(-1)).any()):
            gram = diagonal[..., None]
        if gram.dim() == 2:
            gram = gram[None]
        projection = project(exact, weights.double()).to(weights.dtype)
        return cls(vectors, weights, gram.to(weights.dtype).contiguous(), projection)

    def start(self) -> Tensor:
        parameters = self.projection.new_zeros(self.replicates, self.size)
        parameters[:, -1] = 1
        return parameters

    def table(self, parameters: Tensor, touched: Tensor | None) -> Tensor:
        scale, dual = parameters[:, -1, None, None], self._dual(parameters)
        if touched is not None:
            owner = torch.arange(self.replicates, device=touched.device)[:, None]
            gram = self.gram[owner if len(self.gram) > 1 else 0, touched]
            decayed = self.projection[owner, touched].mul_(scale)
            if gram.shape[2] == 1:
                return decayed.add_(gram * dual[owner, touched])
            return decayed.baddbmm_(gram, dual)
        table = torch.mul(self.projection, scale, out=self._table)
        if self.gram.shape[2] == 1:
            return table.add_(self.gram * dual)
        return table.baddbmm_(self.gram.expand(self.replicates, -1, -1), dual)

    def gradient(self, at_table: Tensor, touched: Tensor | None, into: Tensor) -> None:
        into[:, -1] = 0
        dual = self._dual(into)
        if touched is None:
            dual.copy_(at_table)
        else:
            owner = torch.arange(self.replicates, device=touched.device)[:, None]
            dual.zero_().index_put_((owner, touched), at_table, accumulate=True)

    def weights(self, parameters: Tensor) -> Tensor:
        scale = parameters[:, -1, None, None].double()
        grown = self.vectors.double().mT @ self._dual(parameters).double()
        return (scale * self.initial.double() + grown).to(self.initial.dtype)

    def select(self, keep: Tensor) -> GramConvolution:
        vectors = self.vectors if self.vectors.dim() == 2 else self.vectors[keep]
        gram = self.gram if len(self.gram) == 1 else self.gram[keep]
        return GramConvolution(vectors, self.initial[keep], gram, self.projection[keep])

    def _dual(self, parameters: Tensor) -> Tensor:
        return parameters[:, :-1].view(-1, self.tokens, self.filters)


class DirectConvolution:
    """Parameters W."""

    def __init__(self, vectors: Tensor, initial: Tensor) -> None:
        self.vectors = vectors if vectors.dim() == 3 else vectors[None]
        self.initial = initial
        self.replicates, self.width, self.filters = initial.shape
        self.size = self.width * self.filters
        self.tokens = vectors.shape[-2]

    def start(self) -> Tensor:
        return self.initial.flatten(1).clone()

    def table(self, parameters: Tensor, touched: Tensor | None) -> Tensor:
        self._projected = self._rows(touched)
        return torch.bmm(self._projected, self.weights(parameters))

    def gradient(self, at_table: Tensor, touched: Tensor | None, into: Tensor) -> None:
        torch.bmm(self._projected.mT, at_table, out=self.weights(into))

    def weights(self, parameters: Tensor) -> Tensor:
        return parameters.view(-1, self.width, self.filters)

    def select(self, keep: Tensor) -> DirectConvolution:
        vectors = self.vectors[0] if len(self.vectors) == 1 else self.vectors[keep]
        return DirectConvolution(vectors, self.initial[keep])

    def _rows(self, touched: Tensor | None) -> Tensor:
        return _rows_of(self.vectors, self.replicates, touched)


class LowRankConvolution:
    """Parameters A and B of an update to fixed weights (LoRA; Hu et al. 2021, arXiv 2106.09685).

    B begins at zero, so that training begins with the fixed weights.
    """

    def __init__(self, vectors: Tensor, initial: Tensor, basis: Tensor, projection: Tensor) -> None:
        """initial: W0 [R, width, filters]; basis: the first A [R, width, rank]; projection: E W0,
        [R, tokens, filters]."""
        self.vectors, self.initial, self.basis = vectors, initial, basis
        self.projection = projection
        self.replicates, self.tokens, self.filters = projection.shape
        self.width, self.rank = basis.shape[1:]
        self.size = self.rank * (self.width + self.filters)

    @classmethod
    def of(cls, vectors: Tensor, initial: Tensor, basis: Tensor) -> LowRankConvolution:
        vectors = vectors if vectors.dim() == 3 else vectors[None]
        filling = -basis.shape[2] % RANK_MULTIPLE  # columns of zeros, which stay zeros
        basis = torch.nn.functional.pad(basis, (0, filling))
        return cls(vectors, initial, basis, project(vectors, initial))

    def start(self) -> Tensor:
        parameters = self.basis.new_zeros(self.replicates, self.size)
        parameters[:, : self.width * self.rank] = self.basis.flatten(1)
        return parameters

    def table(self, parameters: Tensor, touched: Tensor | None) -> Tensor:
        self._first, self._second = self._factors(parameters)
        self._projected = _rows_of(self.vectors, self.replicates, touched)
        self._reduced = torch.bmm(self._projected, self._first)
        fixed = self.projection
        if touched is not None:
            owner = torch.arange(self.replicates, device=touched.device)[:, None]
            fixed = fixed[owner, touched]
        return torch.baddbmm(fixed, self._reduced, self._second)

    def gradient(self, at_table: Tensor, touched: Tensor | None, into: Tensor) -> None:
        at_first, at_second = self._factors(into)
        torch.bmm(self._reduced.mT, at_table, out=at_second)
        torch.bmm(self._projected.mT, torch.bmm(at_table, self._second.mT), out=at_first)

    def weights(self, parameters: Tensor) -> Tensor:
        first, second = self._factors(parameters)
        return torch.baddbmm(self.initial, first, second)

    def select(self, keep: Tensor) -> LowRankConvolution:
        vectors = self.vectors if len(self.vectors) == 1 else self.vectors[keep]
        return LowRankConvolution(
            vectors, self.initial[keep], self.basis[keep], self.projection[keep]
        )

    def _factors(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        split = self.width * self.rank
        first = parameters[:, :split].view(-1, self.width, self.rank)
        return first, parameters[:, split : self.size].view(-1, self.rank, self.filters)


def _rows_of(vectors: Tensor, replicates: int, touched: Tensor | None) -> Tensor:
    """Each replicate's vectors of the tokens that its batch touches, [R, rows, width]."""
    if touched is None:
        return vectors.expand(replicates, -1, -1)
    owner = torch.arange(replicates, device=touched.device)[:, None]
    return vectors[owner if len(vectors) > 1 else 0, touched]
