"""The concept CNN of Gao et al. 2024 (arXiv 2409.13893), many replicates side by side.

Frozen embedding table -> convolution of kernel size 1 -> ReLU -> maximum over the encounter's
findings -> dropout -> linear layer with one output a class. With a frozen table and kernel size 1
the convolution is itself a table, one row a token: ``projection = vectors @ convolution``.
Findings that are not there contribute nothing: an encounter without findings has the zero feature
vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from concept_transfer.models.alignment import Moments
from concept_transfer.models.dataset import Dataset
from concept_transfer.models.pooling import POOLINGS, pooled_features

FEATURES_AT_ONCE = 1 << 22  # numbers
FEWEST_ROWS, MOST_COLUMNS = 256, 4  # of products whose rows do not depend on each other's number


@dataclass(frozen=True)
class Weights:
    """Stacked weights of R replicates.

    convolution: [R, width, filters]; convolution_bias: [R, filters];
    linear: [R, filters, K]; linear_bias: [R, K], for K classes; pooling: int8 [R], what is taken
    over an encounter's findings, a place in `POOLINGS`.

    Networks whose logits are averaged are one network of all their filters, with the linear
    layers divided by their number: an ensemble is no other model (`together`).
    """

    convolution: Tensor
    convolution_bias: Tensor
    linear: Tensor
    linear_bias: Tensor
    pooling: Tensor

    def __len__(self) -> int:
        return len(self.convolution)

    @property
    def classes(self) -> int:
        return self.linear.shape[2]

    def select(self, replicates: Tensor | list[int] | slice) -> Weights:
        return Weights(*(getattr(self, field.name)[replicates] for field in fields(self)))

    def to(self, device: str | None = None, dtype: torch.dtype | None = None) -> Weights:
        arrays = (getattr(self, field.name) for field in fields(self))
        return Weights(*(a.to(device, dtype if a.is_floating_point() else None) for a in arrays))


def project(vectors: Tensor, convolution: Tensor) -> Tensor:
    """Token tables after the convolution [R, tokens, filters], each as if computed alone.

    vectors: [tokens, width], or [R, tokens, width] where replicates have tables of their own;
    convolution: [R, width, filters].
    """
    return torch.bmm(vectors.expand(len(convolution), -1, -1), convolution)


def features(
    projection: Tensor, bias: Tensor, dataset: Dataset, rows: Tensor, pooling: str
) -> Tensor:
    """Pooled features after ReLU of the same encounters in every replicate, [n, R, filters].

    projection: [R, tokens, filters]; bias: [R, filters]; rows: int64 [n]; pooling: of `POOLINGS`.
    """
    wide, bias_row = projection.transpose(0, 1).flatten(1)[None], bias.view(1, -1)
    pooled = pooled_features(wide, bias_row, dataset.findings(rows), pooling)
    return pooled.view(len(rows), *bias.shape)


def feature_moments(
    weights: Weights, vectors: Tensor, dataset: Dataset, rows: Tensor
) -> list[Moments]:
    """Moments of each replicate's pooled features over the given encounters, int64 [n].

    vectors: as in `project`.
    """
    found: dict[int, Moments] = {}
    for pooling, places in by_pooling(weights):
        own = vectors if vectors.dim() == 2 else vectors[places]
        moments = _moments(weights.select(places), own, dataset, rows, pooling)
        found |= dict(zip(places, moments, strict=True))
    return [found[place] for place in range(len(weights))]


def _moments(
    weights: Weights, vectors: Tensor, dataset: Dataset, rows: Tensor, pooling: str
) -> list[Moments]:
    projection, bias = project(vectors, weights.convolution), weights.convolution_bias
    sums = torch.zeros(bias.shape, dtype=torch.float64)
    products = torch.zeros(*bias.shape, bias.shape[1], dtype=torch.float64)
    for part in rows.split(max(1, FEATURES_AT_ONCE // bias.numel())):
        pooled = features(projection, bias, dataset, part, pooling).transpose(0, 1).double()
        sums += pooled.sum(1)
        products += pooled.mT @ pooled
    both = zip(sums.numpy(), products.numpy(), strict=True)
    return [Moments.of(len(rows), *each) for each in both]


def predict(weights: Weights, vectors: Tensor, dataset: Dataset, rows: Tensor) -> Tensor:
    """Probability of every class, float64 [R, n, K], for the given encounters.

    vectors: as in `project`.
    """
    shape = (len(weights), len(rows), weights.classes)
    probability = torch.empty(shape, dtype=torch.float64, device=weights.linear.device)
    for pooling, places in by_pooling(weights):
        own = vectors if vectors.dim() == 2 else vectors[places]
        probability[places] = _predict(weights.select(places), own, dataset, rows, pooling)
    return probability


def by_pooling(weights: Weights) -> Iterator[tuple[str, list[int]]]:
    """Each pooling that replicates have, and their places."""
    codes = weights.pooling.tolist()
    for code in sorted(set(codes)):
        yield POOLINGS[code], [place for place, own in enumerate(codes) if own == code]


def together(ensemble: Sequence[Weights]) -> Weights:
    """Networks whose logits are the means of those of several of equal pooling."""
    return Weights(
        torch.cat([each.convolution for each in ensemble], 2),
        torch.cat([each.convolution_bias for each in ensemble], 1),
        torch.cat([each.linear for each in ensemble], 1) / len(ensemble),
        torch.stack([each.linear_bias for each in ensemble]).mean(0),
        ensemble[0].pooling,
    )


def concatenate(parts: Sequence[Weights]) -> Weights:
    """The stacks one after the other."""
    return Weights(
        *(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Weights))
    )


def _predict(
    weights: Weights, vectors: Tensor, dataset: Dataset, rows: Tensor, pooling: str
) -> Tensor:
    projection = project(vectors, weights.convolution)
    at_once = max(1, FEATURES_AT_ONCE // weights.convolution_bias.numel())
    shape = (len(weights), len(rows), weights.classes)
    probability = torch.empty(shape, dtype=torch.float64, device=projection.device)
    if not len(rows):
        return probability
    for place, part in zip(probability.split(at_once, 1), rows.split(at_once), strict=True):
        padded = torch.nn.functional.pad(part, (0, max(0, FEWEST_ROWS - len(part))))
        pooled = features(projection, weights.convolution_bias, dataset, padded, pooling)
        place.copy_(_probability(_logits(weights, pooled))[:, : len(part)])
    return probability


def _logits(weights: Weights, pooled: Tensor) -> Tensor:
    """[R, n, K] of features [n, R, filters], each row's the same in whatever company.

    Matrix products keep the order of their sums where they are not small and have few columns.
    """
    parts = -(-weights.classes // MOST_COLUMNS)
    layers = zip(
        weights.linear_bias.tensor_split(parts, 1),
        weights.linear.tensor_split(parts, 2),
        strict=True,
    )
    rows = pooled.transpose(0, 1)
    return torch.cat(
        [torch.baddbmm(bias[:, None], rows, linear.contiguous()) for bias, linear in layers], 2
    )


def _probability(logits: Tensor) -> Tensor:
    """Probabilities float64 [..., K] of logits [..., K]; for two classes from their difference."""
    if logits.shape[-1] > 2:
        return logits.double().softmax(-1)
    positive = (logits[..., 1] - logits[..., 0]).double().sigmoid()
    return torch.stack([1 - positive, positive], -1)
