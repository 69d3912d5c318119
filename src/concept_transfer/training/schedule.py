"""When each replicate stops, and which of its epochs is kept."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from concept_transfer.settings.training import Training


class Schedule:
    """Early stopping for R replicates that are trained side by side.

    A replicate with early stopping keeps the epoch with the best validation score and stops
    after settings.patience epochs without a better one (never, if that is None), at the latest
    after settings.epochs. Unless the start competes, epochs before settings.min_epochs are not
    kept. One without trains settings.fixed_epochs and keeps the last.
    """

    def __init__(
        self,
        settings: Training,
        early_stopping: Sequence[bool],
        start_scores: Tensor | None = None,
        together: int = 1,
    ) -> None:
        """start_scores: float64 [R], where the start is a candidate too, as epoch 0; together: so
        many replicates in a row stop when the last of them does, or any diverges."""
        replicates = len(early_stopping)
        self.settings = settings
        self.together = together
        self.early_stopping = torch.tensor(list(early_stopping))
        self.best = torch.full((replicates,), torch.inf, dtype=torch.float64)
        self.first_kept = min(settings.min_epochs, settings.epochs)
        if start_scores is not None:
            self.first_kept = 0
            self.best = torch.where(start_scores.isfinite(), start_scores, self.best)
        self.kept_epoch = torch.zeros(replicates, dtype=torch.int64)
        self.diverged = torch.zeros(replicates, dtype=torch.bool)
        self.epoch = 0

    def after_epoch(self, active: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Masks over the active replicates: whose weights to keep now, and which go on.

        active: int64 [A], numbers of the replicates still trained; scores: float64 [A], lower
        is better, not finite where a replicate has diverged.
        """
        self.epoch += 1
        healthy = scores.isfinite()
        early = self.early_stopping[active]
        chosen = (scores < self.best[active]) & (self.epoch >= self.first_kept)
        better = healthy & (~early | chosen)
        self.best[active[better]] = scores[better]
        self.kept_epoch[active[better]] = self.epoch
        self.diverged[active[~healthy]] = True
        last = torch.where(early, self.settings.epochs, self.settings.fixed_epochs)
        going = healthy & (self.epoch < last)
        if self.settings.patience is not None:
            waited = self.epoch - self.kept_epoch[active].clamp(min=self.first_kept)
            going &= ~early | (waited < self.settings.patience)
        groups = healthy.view(-1, self.together).all(1) & going[self.together - 1 :: self.together]
        return better, groups.repeat_interleave(self.together)
