"""What is read off an encoder for an outcome: a patient's vector, or the odds of its codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from concept_transfer.errors import StudyError, choices
from concept_transfer.models.code_encoder import CodeModel, new_model
from concept_transfer.pretraining.batches import Asked, Batch
from concept_transfer.pretraining.vocabulary import SPECIALS, CodeVocabulary, read
from concept_transfer.settings.encoders import CodeEncoder

ASKED: dict[str, Asked] = {"token_sum": "newest_visit", "next_visit_mask": "next_visit"}
LEARNED = ("attention", "gru")  # poolings that have weights


@dataclass(frozen=True)
class Reading:
    """How features are read: `learners.history.History.head` and `.pooling`, and the outcome's
    codes."""

    head: str
    pooling: str = "cls"
    outcome_codes: tuple[str, ...] = ()

    @property
    def asked(self) -> Asked | None:
        """Where a [MASK] is appended."""
        return ASKED.get(self.head)

    @property
    def learns(self) -> bool:
        """Whether pooling has weights."""
        return self.asked is None and self.pooling in LEARNED


class Pool(nn.Module):
    """The vectors of all tokens -> one. Attention begins as the mean."""

    def __init__(self, pooling: str, width: int) -> None:
        super().__init__()
        self.pooling = pooling
        if pooling == "attention":
            self.query = nn.Parameter(torch.zeros(width))
        if pooling == "gru":
            self.gru = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """[B, width] of hidden vectors [B, L, width]; padding counts for nothing."""
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pooling == "gru":
            rows = pack_padded_sequence(
                hidden, batch.lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            last: Tensor = self.gru(rows)[1]
            return last.movedim(0, 1).flatten(1)
        real = batch.real[..., None]
        if self.pooling == "max":
            return hidden.masked_fill(~real, -torch.inf).amax(1)
        scores = hidden @ self.query if self.pooling == "attention" else hidden.new_zeros(())
        scores = scores.expand(batch.codes.shape).masked_fill(~batch.real, -torch.inf)
        return (scores.softmax(1)[..., None] * hidden.masked_fill(~real, 0)).sum(1)


class Reader(nn.Module):
    """An encoder and what reads features off it, float32 [B, features]."""

    def __init__(self, encoder: CodeModel, reading: Reading, vocabulary: CodeVocabulary) -> None:
        super().__init__()
        self.encoder, self.asked = encoder, reading.asked
        width = encoder.norm.normalized_shape[0]
        self.pool = Pool(reading.pooling, width) if self.asked is None else None
        self.outcome = outcome_ids(vocabulary, reading.outcome_codes) if self.asked else []

    def forward(self, batch: Batch) -> Tensor:
        hidden = self.encoder(batch)
        if self.pool is not None:
            pooled: Tensor = self.pool(hidden, batch)
            return pooled.float()
        last = hidden[torch.arange(len(batch), device=hidden.device), batch.lengths - 1]
        return log_odds(self.encoder.code_logits(last).float(), self.outcome)[:, None]

    @cached_property
    def features(self) -> int:
        return 1 if self.pool is None else self.encoder.norm.normalized_shape[0]


def log_odds(logits: Tensor, outcome: Sequence[int]) -> Tensor:
    """Of any of the outcome's codes, [B], by the logits [B, codes] of all."""
    of_outcome = torch.zeros(logits.shape[1], dtype=torch.bool, device=logits.device)
    of_outcome[list(outcome)] = True
    return logits[:, of_outcome].logsumexp(1) - logits[:, ~of_outcome].logsumexp(1)


def outcome_ids(vocabulary: CodeVocabulary, patterns: Sequence[str]) -> list[int]:
    """The ids of the codes that say the outcome. Raises StudyError where the encoder knows none."""
    known = read(vocabulary.names, patterns)
    known[: vocabulary.background] = False
    if not known.any():
        raise StudyError(
            f"task.outcome_codes ({choices(patterns)}): the encoder knows none of these codes, so "
            "that it has no probability of the outcome; it learned only codes that `min_count` "
            "patients of its sites have. Lower `min_count`, name other codes, or take head: "
            "classification"
        )
    return [int(place) + SPECIALS for place in known.nonzero()[0]]


def new_reader(
    settings: CodeEncoder, vocabulary: CodeVocabulary, reading: Reading, seed: int = 0
) -> Reader:
    """A reader with weights drawn by the seed; the global generator is left as it was."""
    encoder = new_model(settings, len(vocabulary), seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Reader(encoder, reading, vocabulary)
