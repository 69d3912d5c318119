"""The linear layer behind the body, its loss and its gradient, written by hand.

Two classes need one score, the margin between the layer's two logits; more have a logit each.
Scores are [R, n, S]: of S weight columns [R, S, filters] and their bias [R, S].
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import softplus

Columns = tuple[Tensor, Tensor]


def head_for(first: int, filters: int, classes: int) -> Head:
    """The head of so many classes whose numbers follow the first ones in flat parameters."""
    return MarginHead(first, filters, 2) if classes == 2 else SoftmaxHead(first, filters, classes)


def truth_of(labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """What the scores' probabilities should be, 0 or 1, [..., S], of labels [...]."""
    if classes == 2:
        return labels.to(dtype)[..., None]
    return torch.stack([labels == one for one in range(classes)], -1).to(dtype)


class Head(ABC):
    """A linear layer [K, filters] and its bias [K] in flat parameters [R, size].

    Its products are sums: a matrix product rounds otherwise for one replicate than for many.
    """

    scored: int  # S

    def __init__(self, first: int, filters: int, classes: int) -> None:
        self.first, self.filters, self.classes = first, filters, classes

    def layer(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Views of the layer [R, K, filters] and its bias [R, K]."""
        end = self.first + self.classes * self.filters
        layer = parameters[:, self.first : end].view(-1, self.classes, self.filters)
        return layer, parameters[:, end : end + self.classes]

    @abstractmethod
    def columns(self, parameters: Tensor) -> Columns:
        """What the scores are made with."""

    @abstractmethod
    def scores(self, features: Tensor, columns: Columns) -> Tensor:
        """Scores of features [R, n, filters]."""

    @abstractmethod
    def probability(self, scores: Tensor) -> Tensor:
        """Probability [R, n, S] of the scores' classes.

        Rounded from float64: vectorised float32 code rounds by position.
        """

    @abstractmethod
    def losses(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy [R, n] of float64 scores and labels [R, n]."""

    @abstractmethod
    def gradient(self, at_scores: Tensor, features: Tensor, into: Tensor) -> None:
        """Fill the layer's part of the gradient [R, size] from that at the scores."""

    @abstractmethod
    def at_features(self, at_scores: Tensor, weights: Tensor) -> Tensor:
        """The gradient at the features [R, n, filters], given the columns' weights."""


class MarginHead(Head):
    """Two classes: the score is the logit of class 1."""

    scored = 1

    def columns(self, parameters: Tensor) -> Columns:
        layer, bias = self.layer(parameters)
        return layer[:, 1:] - layer[:, :1], bias[:, 1:] - bias[:, :1]

    def scores(self, features: Tensor, columns: Columns) -> Tensor:
        slope, bias = columns
        return (features * slope).sum(2, keepdim=True).add_(bias[..., None])

    def probability(self, scores: Tensor) -> Tensor:
        return scores.double().sigmoid().to(scores.dtype)

    def losses(self, scores: Tensor, labels: Tensor) -> Tensor:
        margin = scores[..., 0]
        return softplus(torch.where(labels == 1, -margin, margin))

    def gradient(self, at_scores: Tensor, features: Tensor, into: Tensor) -> None:
        layer, bias = self.layer(into)
        torch.sum(at_scores * features, 1, out=layer[:, 1])
        torch.neg(layer[:, 1], out=layer[:, 0])
        torch.sum(at_scores, 1, out=bias[:, 1:])
        torch.neg(bias[:, 1], out=bias[:, 0])

    def at_features(self, at_scores: Tensor, weights: Tensor) -> Tensor:
        return at_scores * weights


class SoftmaxHead(Head):
    """More classes: a score is a class's logit."""

    def __init__(self, first: int, filters: int, classes: int) -> None:
        super().__init__(first, filters, classes)
        self.scored = classes

    def columns(self, parameters: Tensor) -> Columns:
        return self.layer(parameters)

    def scores(self, features: Tensor, columns: Columns) -> Tensor:
        layer, bias = columns
        logits = [(features * weights).sum(2) for weights in layer.split(1, 1)]
        return torch.stack(logits, 2).add_(bias[:, None])

    def probability(self, scores: Tensor) -> Tensor:
        return scores.double().softmax(2).to(scores.dtype)

    def losses(self, scores: Tensor, labels: Tensor) -> Tensor:
        return scores.logsumexp(2) - scores.gather(2, labels.long()[..., None])[..., 0]

    def gradient(self, at_scores: Tensor, features: Tensor, into: Tensor) -> None:
        layer, bias = self.layer(into)
        for one, at_score in enumerate(at_scores.split(1, 2)):
            torch.sum(at_score * features, 1, out=layer[:, one])
        torch.sum(at_scores, 1, out=bias)

    def at_features(self, at_scores: Tensor, weights: Tensor) -> Tensor:
        first, *others = zip(at_scores.split(1, 2), weights.split(1, 1), strict=True)
        total: Tensor = first[0] * first[1]
        for at_score, column in others:
            total += at_score * column
        return total
