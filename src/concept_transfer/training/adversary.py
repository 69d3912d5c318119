"""An opponent of the network in training, which tells the sites apart by the network's features.

Domain-adversarial training (Ganin et al. 2016, JMLR 17, 1-35): a linear layer on the pooled
features learns which encounters are the target's, and the features learn by its gradient, reversed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from concept_transfer.models.dataset import Dataset
from concept_transfer.settings.training import Training
from concept_transfer.training.batches import Batches
from concept_transfer.training.bodies import Body
from concept_transfer.training.draws import ADVERSARY, hashes, initial_weights
from concept_transfer.training.heads import MarginHead

SLOPE = 10.0  # gamma of the paper


@dataclass(frozen=True)
class Domains:
    """What the opponent looks at.

    rows: int64 [R, n], encounters of both sites; labels: int8, of every encounter of the dataset: 1
    for the target's; strength: of the reversed gradient at the end.
    """

    rows: Tensor
    labels: Tensor
    strength: float

    def to(self, device: str) -> Domains:
        return Domains(self.rows.to(device), self.labels.to(device), self.strength)


def domains_of(dataset: Dataset, source: Tensor, target: Tensor, strength: float) -> Domains:
    """Of rows [R, n] that the source has in a dataset, and rows [R, m] of the target."""
    labels = torch.zeros(len(dataset), dtype=torch.int8)
    labels[target[0]] = 1
    return Domains(torch.cat([source, target], 1), labels, strength)


class Opponent:
    """A logistic regression a replicate; its batches are its own, and either site counts half."""

    def __init__(
        self, dataset: Dataset, domains: Domains, keys: Tensor, settings: Training, filters: int
    ) -> None:
        """keys: int64 [R], of the replicates."""
        keys = hashes(keys, ADVERSARY, torch.zeros(1, dtype=torch.int64, device=keys.device))[:, 0]
        marked = replace(dataset, labels=domains.labels, weights=torch.ones_like(dataset.weights))
        own = settings.model_copy(update={"dropout": 0.0, "class_weight": "balanced"})
        self.batches = Batches(marked, domains.rows, keys, own)
        self.keys, self.filters, self.strength = keys, filters, domains.strength

    def start(self, dtype: torch.dtype) -> Tensor:
        """Initial parameters [R, size] of its linear layer."""
        untrained = initial_weights(self.keys, 1, self.filters, dtype=dtype)
        return torch.cat([untrained.linear.mT.flatten(1), untrained.linear_bias], 1)

    def oppose(
        self,
        body: Body,
        parameters: Tensor,
        gradient: Tensor,
        first: int,
        step: int,
        progress: float,
    ) -> None:
        """Fill its part of the gradient [R, size], and add the reversed one to the body's.

        first: where its parameters begin; progress: from 0 to 1, of the reversed gradient's growth.
        """
        head = MarginHead(first, self.filters, 2)
        batch = self.batches.take(step, body, parameters.dtype)
        features, columns = body.features(parameters, batch.inputs), head.columns(parameters)
        scores = head.scores(features, columns)
        at_scores = (head.probability(scores) - batch.truth).mul_(batch.shares)
        head.gradient(at_scores, features, gradient)
        at_features = head.at_features(at_scores, columns[0])
        own = torch.zeros_like(gradient)
        body.gradient(torch.ops.aten.threshold_backward(at_features, features, 0), own)
        strength = self.strength * growth(progress)
        gradient[:, : body.size].sub_(own[:, : body.size], alpha=strength)

    def select(self, keep: Tensor) -> None:
        """Go on with some of the replicates."""
        self.keys = self.keys[keep]
        self.batches.select(keep)


def growth(progress: float) -> float:
    """Share of its strength that the reversed gradient has, by progress from 0 to 1.

    >>> growth(0.0), round(growth(0.5), 4)
    (0.0, 0.9866)
    """
    return 2 / (1 + math.exp(-SLOPE * min(progress, 1.0))) - 1
