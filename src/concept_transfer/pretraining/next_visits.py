"""Histories that are cut off at a visit and asked for the next one.

He et al. 2025 (arXiv 2501.02044) read an outcome at one [MASK] in a visit to come. Codes of chronic
diseases recur, so that whoever learns from masks alone copies them from what follows; here nothing
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from concept_transfer.pretraining.batches import Batch
from concept_transfer.pretraining.masking import predictable
from concept_transfer.pretraining.vocabulary import MASK, PAD, CodeVocabulary


@dataclass(frozen=True)
class CutOff:
    """A batch some of whose rows end early, in a [MASK] in a visit to come.

    asked: bool [B, L], these masks; answers: float32 [asked, ids], for each the known codes of the
    visit that followed, each once, in equal shares.
    """

    batch: Batch
    asked: Tensor
    answers: Tensor

    def to(self, device: str) -> CutOff:
        return CutOff(self.batch.to(device), self.asked.to(device), self.answers.to(device))


def cut_off(
    batch: Batch, vocabulary: CodeVocabulary, share: float, generator: np.random.Generator
) -> CutOff:
    """Cut each row off with probability `share`, before one of its visits but the first, and ask
    for that; the [MASK] has a time drawn between the last event and the visit. Rows whose visit
    holds no known code stay whole."""
    rows = torch.arange(len(batch))
    chance, place, wait = torch.from_numpy(generator.random((3, len(batch))))
    visits = batch.segments.amax(1)
    following = 1 + (place * (visits - 1)).long()
    codes = torch.zeros(len(batch), len(vocabulary))
    inside = predictable(batch, vocabulary) & (batch.segments == following[:, None])
    owners, places = inside.nonzero(as_tuple=True)
    codes[owners, batch.codes[owners, places]] = 1
    cut = (chance < share) & (visits > 1) & inside.any(1)
    shown = batch.real & ((batch.segments == 0) | (batch.segments > following[:, None]))
    ends = torch.where(cut, shown.sum(1), batch.lengths)  # the place of the mask, and of the visit
    lengths = ends + cut
    width = int(lengths.max())
    after = torch.arange(width) >= ends[:, None]

    def shortened(values: Tensor, nothing: Any) -> Tensor:
        return functional.pad(values, (0, 1), value=nothing)[:, :width].masked_fill(after, nothing)

    def between(values: Tensor) -> Tensor:
        found, own, last = shortened(values, torch.nan), rows[cut], ends[cut]
        before, then = values[own, last - 1], values[own, last]
        found[own, last] = before + wait[cut].float() * (then - before)
        return found

    moved = torch.where(batch.segments > 0, batch.segments - (following - 1)[:, None], 0)
    segments = torch.where(cut[:, None], moved, batch.segments)
    asked = torch.zeros(len(batch), width, dtype=torch.bool)
    asked[rows[cut], ends[cut]] = True
    found = Batch(
        shortened(batch.codes, PAD).masked_fill(asked, MASK),
        shortened(segments, 0).masked_fill(asked, 1),
        between(batch.ages),
        between(batch.times),
        lengths,
    )
    answers = codes[cut]
    return CutOff(found, asked, answers / answers.sum(1, keepdim=True))
