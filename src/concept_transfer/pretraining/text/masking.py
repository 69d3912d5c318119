"""Words that are masked, and have to be predicted (Devlin et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from concept_transfer.pretraining.text.sequences import Marks, Sequences

MASKED, REPLACED = 0.8, 0.1  # of the chosen word pieces; the others are left as they are


@dataclass(frozen=True)
class Masked:
    """Sequences some of whose word pieces are hidden.

    chosen: bool [S, L], those to be predicted, those that are left as they are too; answers: int64
    [chosen], what they are, in the order of rows and places.
    """

    sequences: Sequences
    chosen: Tensor
    answers: Tensor


def masked(
    sequences: Sequences, marks: Marks, rate: float, generator: np.random.Generator
) -> Masked:
    """Choose each word piece with probability `rate`; of those 80 % become the mask, 10 % a word
    piece drawn uniformly, 10 % stay. Marks, padding and unknown words are never chosen."""
    ids = sequences.ids
    known = sequences.pieces & (ids != marks.unknown)
    chosen = known & torch.from_numpy(generator.random(tuple(ids.shape)) < rate)
    answers = ids[chosen]
    fate = torch.from_numpy(generator.random(len(answers)))
    drawn = torch.from_numpy(generator.choice(marks.drawable, len(answers)))
    shown = torch.where(fate < MASKED + REPLACED, drawn, answers)
    shown[fate < MASKED] = marks.mask
    hidden = ids.clone()
    hidden[chosen] = shown
    return Masked(Sequences(hidden, sequences.real, sequences.pieces), chosen, answers)
