"""Validation scores of many replicates at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from concept_transfer.models.dataset import Dataset
from concept_transfer.training.batches import keep_rows
from concept_transfer.training.bodies import Body
from concept_transfer.training.linear import linear_layer, margins

ENCOUNTERS_AT_ONCE = 1 << 14
ENCOUNTERS_KEPT_READY = 1 << 17


class Validation:
    """Each replicate's validation encounters; made ready once where they are few."""

    def __init__(self, dataset: Dataset, rows: Tensor, monitor: str) -> None:
        """rows: int64 [R, m]; monitor: `log_loss` or `auroc`."""
        self.dataset, self.rows, self.monitor = dataset, rows, monitor
        self._ready: list[Any] = []

    def select(self, keep: Tensor) -> None:
        """Drop all replicates but these."""
        self.rows, self._ready = keep_rows(self.rows, keep), []

    def scores(self, body: Body, parameters: Tensor) -> Tensor:
        """What the schedule minimises, float64 [R] on the CPU; not finite where a model diverged.

        Mean log loss without class weights, or minus the AUROC (log loss where validation holds
        one class). parameters: [R, size], those of the trainer.
        """
        layer = linear_layer(parameters, body)
        margin = torch.empty(self.rows.shape, dtype=torch.float64, device=parameters.device)
        ready = self._ready or self._inputs(body)
        for part, inputs in zip(self._parts(margin), ready, strict=True):
            part.copy_(margins(body.evaluate(parameters, inputs), *layer)[..., 0])
        label = self.dataset.labels[self.rows]
        losses = torch.nn.functional.softplus(torch.where(label == 1, -margin, margin)).mean(1)
        if self.monitor == "log_loss":
            return losses.cpu()
        area = auroc(margin, label)
        return torch.where(losses.isfinite() & area.isfinite(), -area, losses).cpu()

    def _parts(self, rows: Tensor) -> tuple[Tensor, ...]:
        return tuple(rows.split(max(1, ENCOUNTERS_AT_ONCE // len(rows)), 1))

    def _inputs(self, body: Body) -> Iterable[Any]:
        inputs = (body.inputs(part[None])[0] for part in self._parts(self.rows))
        if self.rows.numel() > ENCOUNTERS_KEPT_READY:
            return inputs
        self._ready = list(inputs)
        return self._ready


def auroc(scores: Tensor, labels: Tensor) -> Tensor:
    """Area under the ROC curve of each row, ties counted half; NaN where a class is missing.

    scores: [R, n]; labels: 0/1 [R, n].
    """
    ordered = scores.sort(1).values
    below = torch.searchsorted(ordered, scores)
    upto = torch.searchsorted(ordered, scores, right=True)
    positives = labels.sum(1).double()
    negatives = labels.shape[1] - positives
    rank_sum = ((below + upto + 1) / 2 * labels).sum(1, dtype=torch.float64)
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)
