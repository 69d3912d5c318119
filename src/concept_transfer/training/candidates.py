"""Which of several fits of the same networks is kept, and ensembles of fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights, together
from concept_transfer.training.engine import Fit


def averaged(ensemble: Sequence[Fit]) -> Fit:
    """Networks whose logits are the means of several fits', judged by their mean score; the epochs
    are the first's."""
    scores = torch.tensor([each.scores for each in ensemble]).mean(0)
    diverged = torch.tensor([each.diverged for each in ensemble]).any(0)
    return Fit(
        together([each.weights for each in ensemble]) if len(ensemble) > 1 else ensemble[0].weights,
        ensemble[0].epochs,
        diverged.tolist(),
        scores.tolist(),
    )


def best_of(fits: Sequence[Fit], choose: Tensor) -> Fit:
    """Of each network the fit with the best score; the first where it may not choose, bool [N]."""
    scores = torch.tensor([each.scores for each in fits], dtype=torch.float64)
    diverged = torch.tensor([each.diverged for each in fits])
    best = scores.where(~diverged & scores.isfinite(), torch.inf).argmin(0)
    best = torch.where(choose, best, 0)
    everyone = torch.arange(len(best))
    arrays = ([getattr(each.weights, field.name) for each in fits] for field in fields(Weights))
    return Fit(
        Weights(*(torch.stack(each)[best, everyone] for each in arrays)),
        torch.tensor([each.epochs for each in fits])[best, everyone].tolist(),
        diverged[best, everyone].tolist(),
        scores[best, everyone].tolist(),
    )
