"""Networks that are trained side by side on a replicate's encounters, each without a fold of them.

A replicate has K + 1 networks, which share its encounters, batches, initial weights and dropout:
one leaves out each fold, the last none. Encounters that a network leaves out have no weight in its
loss; they judge it after every epoch. An epoch is chosen by the mean loss of the folds: that of a
fold's own network by the other folds, so that what it says of its fold is nested (Varma, Simon
2006, doi:10.1186/1471-2105-7-91).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from concept_transfer.models.dataset import Dataset
from concept_transfer.training.heads import Head
from concept_transfer.training.validation import Validation, area_of


@dataclass(frozen=True)
class Folds:
    """Which encounters R * (K + 1) = N networks train on, those of a replicate together.

    networks: K + 1; trained: bool [N, n], of each replicate's training encounters; rows: int64
    [N, m], those that each network leaves out, filled up; judged: bool [N, m], which of them are
    to judge it.
    """

    networks: int
    trained: Tensor
    rows: Tensor
    judged: Tensor

    def to(self, device: str) -> Folds:
        arrays = (self.trained, self.rows, self.judged)
        return Folds(self.networks, *(array.to(device) for array in arrays))

    def select(self, keep: Tensor) -> Folds:
        """Some of the networks, all of a replicate."""
        return Folds(self.networks, self.trained[keep], self.rows[keep], self.judged[keep])


def folds_of(rows: Tensor, labels: Tensor, fold: Tensor, number: int) -> Folds:
    """The folds of R replicates.

    rows: int64 [R, n]; labels: their classes; fold: int64 [R, f], of the first f of them, 0 to
    number - 1, or -1 for an encounter that no network leaves out. A network whose own encounters
    are of one class judges nothing.
    """
    replicates, known = fold.shape
    own = torch.arange(number + 1, device=rows.device)
    own[-1] = -2
    left_out = fold[:, None] == own[:, None]
    trained = torch.ones(
        replicates, number + 1, rows.shape[1], dtype=torch.bool, device=rows.device
    )
    trained[..., :known] = ~left_out
    labels = labels[:, None]
    highest = torch.where(trained, labels, -1).amax(2)
    lowest = torch.where(trained, labels, torch.iinfo(labels.dtype).max).amin(2)
    most = int(left_out.sum(2).max())
    places = left_out.to(torch.int8).argsort(dim=2, descending=True, stable=True)[..., :most]
    judged = left_out.gather(2, places) & (highest > lowest)[..., None]
    held = rows[:, None].expand(-1, number + 1, -1).gather(2, places)
    return Folds(number + 1, *(each.flatten(0, 1) for each in (trained, held, judged)))


class CrossValidation(Validation):
    """What N networks are judged by: the encounters that the other networks of each leave out."""

    def __init__(self, dataset: Dataset, folds: Folds, monitor: str) -> None:
        """monitor: `log_loss` or `auroc`."""
        super().__init__(dataset, folds.rows, monitor)
        self.folds = folds

    def select(self, keep: Tensor) -> None:
        super().select(keep)
        self.folds = self.folds.select(keep.to(self.folds.judged.device))

    def judge(self, scores: Tensor, labels: Tensor, weights: Tensor, head: Head) -> Tensor:
        judged = self.folds.judged
        weights = torch.where(judged, weights.double(), 0)
        losses = torch.where(judged, head.losses(scores, labels), 0)
        total, count = (losses * weights).sum(1), weights.sum(1)
        if self.monitor == "auroc":
            area = torch.cat(
                [
                    area_of(one[None, own], label[None, own], head)
                    for one, label, own in zip(scores, labels, judged, strict=True)
                ]
            )
            known = area.isfinite()
            total, count = torch.where(known, -area * count, total * 0), count * known
        return self._by_others(total, count)

    def _by_others(self, total: Tensor, count: Tensor) -> Tensor:
        """The mean over the encounters of all other networks, or its own where they have none; 0
        where nothing is judged."""
        total, count = (each.view(-1, self.folds.networks) for each in (total, count))
        all_total, all_count = (each.sum(1, keepdim=True) for each in (total, count))
        alone = all_count == count
        total = torch.where(alone, total, all_total - total)
        count = torch.where(alone, count, all_count - count)
        return (total / count.clamp(min=1)).flatten()
