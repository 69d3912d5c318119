"""Validation scores of many replicates at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from concept_transfer.models.dataset import Dataset
from concept_transfer.training.batches import keep_rows
from concept_transfer.training.bodies import Body
from concept_transfer.training.heads import Head
from concept_transfer.training.trainer import Trainer

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

    def scores(self, trainer: Trainer) -> Tensor:
        """What the schedule minimises, float64 [R] on the CPU; not finite where a model diverged.

        Mean log loss, by the weights of encounters and not of classes, or minus the AUROC (log loss
        where validation holds one class); of more than two classes the mean over those that are
        there, each against the rest.
        """
        body, head, parameters = trainer.body, trainer.head, trainer.parameters
        shape = (*self.rows.shape, head.scored)
        scores = torch.empty(shape, dtype=torch.float64, device=parameters.device)
        columns, ready = head.columns(parameters), self._ready or self._inputs(body)
        for part, inputs in zip(self._parts(scores), ready, strict=True):
            part.copy_(head.scores(body.evaluate(parameters, inputs), columns))
        labels, weights = (each[self.rows] for each in (self.dataset.labels, self.dataset.weights))
        return self.judge(scores, labels, weights, head).cpu()

    def judge(self, scores: Tensor, labels: Tensor, weights: Tensor, head: Head) -> Tensor:
        """From scores float64 [R, m, S] (`heads.Head`), labels and weights [R, m]."""
        losses = (head.losses(scores, labels) * weights).sum(1) / weights.sum(1, dtype=scores.dtype)
        if self.monitor == "log_loss":
            return losses
        area = area_of(scores, labels, head)
        return torch.where(losses.isfinite() & area.isfinite(), -area, losses)

    def _parts(self, rows: Tensor) -> tuple[Tensor, ...]:
        return tuple(rows.split(max(1, ENCOUNTERS_AT_ONCE // len(rows)), 1))

    def _inputs(self, body: Body) -> Iterable[Any]:
        inputs = (body.inputs(part[None])[0] for part in self._parts(self.rows))
        if self.rows.numel() > ENCOUNTERS_KEPT_READY:
            return inputs
        self._ready = list(inputs)
        return self._ready


def area_of(scores: Tensor, labels: Tensor, head: Head) -> Tensor:
    """AUROC [R] of scores [R, m, S]; of more than two classes their mean; NaN of one class."""
    if head.classes > 2:
        return macro_auroc(scores.softmax(2), labels)
    return auroc(scores[..., 0], labels)


def auroc(scores: Tensor, labels: Tensor) -> Tensor:
    """Area under the ROC curve of each row, ties counted half; NaN where a class is missing.

    scores: [R, n]; labels: 0/1 [R, n].
    """
    scores = scores.contiguous()
    ordered = scores.sort(1).values
    below = torch.searchsorted(ordered, scores)
    upto = torch.searchsorted(ordered, scores, right=True)
    positives = labels.sum(1).double()
    negatives = labels.shape[1] - positives
    rank_sum = ((below + upto + 1) / 2 * labels).sum(1, dtype=torch.float64)
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def macro_auroc(probability: Tensor, labels: Tensor) -> Tensor:
    """Mean over classes of each one's `auroc` against the rest, [R]; over those that are there.

    probability: [R, n, K]; labels: [R, n]. NaN where one class is all there is.
    """
    areas = [auroc(column, labels == one) for one, column in enumerate(probability.unbind(2))]
    return torch.stack(areas, 1).nanmean(1)
