"""A plan's encounters as one dataset and rows of it, and a line on what was trained on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from concept_transfer.cohorts.budget import are_same
from concept_transfer.models.dataset import Dataset, concatenate, dataset_of
from concept_transfer.progress import span
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import Part
from concept_transfer.training.engine import Fit


def joined(parts: Sequence[Part]) -> tuple[Dataset, list[Tensor]]:
    """The sites' encounters as one dataset, and in it the rows [R, n] of each part."""
    weighed = {_weighed(part): part for part in parts}
    datasets = [dataset_of(part.site, part.weight) for part in weighed.values()]
    starts = accumulate((len(dataset) for dataset in datasets[:-1]), initial=0)
    first = dict(zip(weighed, starts, strict=True))
    dataset = datasets[0] if len(datasets) == 1 else concatenate(datasets)
    return dataset, [_rows(part, first[_weighed(part)]) for part in parts]


def _weighed(part: Part) -> tuple[str, bytes]:
    """What tells a site's encounters with some weights from those with others."""
    return part.site.name, np.asarray(part.weight).tobytes()


def side_by_side(rows: list[Tensor]) -> Tensor:
    """The parts' rows, one after the other, [R, n]; stored once if all parts are."""
    if len(rows) == 1:
        return rows[0]
    if all(part.stride(0) == 0 for part in rows):
        return torch.cat([part[0] for part in rows]).expand(len(rows[0]), -1)
    return torch.cat(rows, 1)


def _rows(part: Part, first: int) -> Tensor:
    if are_same(part.rows):
        return torch.from_numpy(part.rows[0] + first).expand(len(part.rows), -1)
    return torch.from_numpy(part.rows + first)


def described(
    dataset: Dataset, train: Tensor, validation: int, folds: int, training: Training, result: Fit
) -> str:
    """What was trained on what, and how well it went, in one line for the log.

    validation: how many encounters judge; folds: without how many in turn networks were trained,
    which then hold them (0: they are apart).
    """
    distinct = train[:1] if train.stride(0) == 0 else train
    classes = torch.arange(result.weights.classes, device=train.device)
    counts = (dataset.labels[distinct][..., None] == classes).sum(1)
    labels = f"{span(counts[:, 1].tolist())} positive"
    if len(classes) > 2:
        labels = f"{span(counts.amin(1).tolist())} of the rarest class"
    apart, judged = f", validated on {validation}", f"validation {training.monitor}"
    if folds:
        held = f"each of {folds} folds" if folds > 1 else f"{validation} of them"
        apart, judged = f" and without {held}", f"held-out {training.monitor}"
    elif not validation:
        judged = "training log_loss"
    scores = [abs(score) for score in result.scores if math.isfinite(score)]
    diverged = sum(result.diverged)
    return (
        f"{len(result.epochs)} replicate(s) trained on {train.shape[1]} encounters "
        f"({labels}){apart}; epochs kept {span(result.epochs)}, {judged} {span(scores, '.4f')}"
        + (f", {diverged} diverged" if diverged else "")
    )
