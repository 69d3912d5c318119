"""Codes that are masked, and have to be predicted (BERT's rule; BEHRT, Med-BERT)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from concept_transfer.pretraining.batches import Batch
from concept_transfer.pretraining.vocabulary import MASK, CodeVocabulary

MASKED, REPLACED = 0.8, 0.1  # of the chosen events; the others are left as they are


@dataclass(frozen=True)
class Masked:
    """A batch some of whose events are hidden.

    chosen: bool [B, L], the events to be predicted, those that are left as they are too; answers:
    int64 [chosen], their codes, in the order of rows and places.
    """

    batch: Batch
    chosen: Tensor
    answers: Tensor

    def to(self, device: str) -> Masked:
        return Masked(self.batch.to(device), self.chosen.to(device), self.answers.to(device))


def predictable(batch: Batch, vocabulary: CodeVocabulary) -> Tensor:
    """Where events of known codes stand, bool [B, L]: no background, nothing unknown."""
    return (batch.segments > 0) & (batch.codes >= vocabulary.first_event)


def masked(
    batch: Batch, vocabulary: CodeVocabulary, rate: float, generator: np.random.Generator
) -> Masked:
    """Choose each event of a known code with probability `rate`; of those 80 % become [MASK],
    10 % a code drawn uniformly from those of events, 10 % stay."""
    shape = tuple(batch.codes.shape)
    chosen = predictable(batch, vocabulary) & torch.from_numpy(generator.random(shape) < rate)
    answers = batch.codes[chosen]
    fate = torch.from_numpy(generator.random(len(answers)))
    drawn = generator.integers(vocabulary.first_event, len(vocabulary), len(answers))
    shown = torch.where(fate < MASKED + REPLACED, torch.from_numpy(drawn), answers)
    shown[fate < MASKED] = MASK
    codes = batch.codes.clone()
    codes[chosen] = shown
    return Masked(replace(batch, codes=codes), chosen, answers)


def blind_loss(counts: NDArray[np.int64]) -> float:
    """The least expected loss, in nats, of who knows how frequent codes are and sees what stands at
    the event itself, but nothing around it: who beats it has learned from context.

    counts: int64 [codes], how often each of the codes stands that replacements are drawn from.
    """
    shares, many = counts / counts.sum(), len(counts)
    left = (1 - MASKED - REPLACED) / (1 - MASKED)  # among those that are not masked
    same = shares * (left + (1 - left) / many)  # answer and what is seen, alike and unlike
    other = shares * (1 - left) / many
    both = _entropy(same) + (many - 1) * _entropy(other)
    seen = _entropy(left * shares + (1 - left) / many)
    return MASKED * _entropy(shares) + (1 - MASKED) * (both - seen)


def _entropy(shares: NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
