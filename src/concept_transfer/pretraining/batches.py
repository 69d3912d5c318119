"""Histories as batches of sequences: [CLS], background, events; packed by length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from concept_transfer.inputs.history import BACKGROUND, History
from concept_transfer.pretraining.vocabulary import CLS, MASK, PAD, CodeVocabulary, Coding, parts
from concept_transfer.settings.encoders import CodeEncoder

DAYS_A_YEAR = 365.25
JITTER = 0.05  # of lengths, so that a patient meets others in every epoch

Asked = Literal["newest_visit", "next_visit"]


@dataclass(frozen=True)
class Batch:
    """B sequences, padded to the longest; all [B, L], but lengths [B].

    codes: int64, ids of the encoder, `CLS` first, `PAD` at the end; segments: int64, 0 for what is
    no event, 1 for the newest visit, 2 for the one before it, and so on; ages: float32, years, NaN
    where unknown; times: float32, days since 2000-01-01, NaN for what has no time; lengths: int64.
    """

    codes: Tensor
    segments: Tensor
    ages: Tensor
    times: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def real(self) -> Tensor:
        """Where there is no padding, bool [B, L]."""
        places = torch.arange(self.codes.shape[1], device=self.codes.device)
        return places < self.lengths[:, None]

    def to(self, device: str) -> Batch:
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass(frozen=True)
class Sequences:
    """Histories as an encoder reads them; of each nothing but its length is held in memory.

    background: whether what has no time is read; limit: tokens of a row at most; lengths: int64
    [n], tokens of each row, with [CLS]; cut: int64 [n], its events that the limit leaves out.
    """

    history: History
    coding: Coding
    background: bool
    limit: int
    lengths: NDArray[np.int64]
    cut: NDArray[np.int64]

    @classmethod
    def of(cls, history: History, vocabulary: CodeVocabulary, settings: CodeEncoder) -> Sequences:
        """All rows of a history; truncation keeps background and the newest events."""
        coding = vocabulary.coding(history.names, settings.codes)
        rows, full = np.arange(len(history)), np.ones(len(history), np.int64)
        nothing = np.zeros(len(history), np.int64)
        found = cls(history, coding, settings.background, settings.max_length, full, nothing)
        for part in parts(history.codes.lengths):
            owners, _ = found._read(rows[part])
            full[part] += np.bincount(owners, minlength=len(rows[part]))
        np.maximum(full - found.limit, 0, out=nothing)
        np.minimum(full, found.limit, out=full)
        return found

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: NDArray[np.int64], asked: Asked | None = None) -> Batch:
        """The given rows, see `batch_of`."""
        return batch_of([(self, rows)], asked)

    def places(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of all tokens but [CLS], row after row: the place of their row among the given ones,
        and where they lie in the history's arrays."""
        owners, places = self._read(rows)
        counts = np.bincount(owners, minlength=len(rows))
        if (counts < self.limit).all():
            return owners, places
        untimed = self.history.visits[places] == BACKGROUND
        background = np.bincount(owners[untimed], minlength=len(rows))
        ends = counts.cumsum()
        newer = ends[owners] - np.arange(len(owners)) - 1
        room, rank = self.limit - 1, np.arange(len(owners)) - (ends - counts)[owners]
        fits = np.where(untimed, rank < room, newer < room - background[owners])
        return owners[fits], places[fits]

    def events(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Of all events with a time that are read: the place of their row among the given ones,
        and their code (place in the history's names)."""
        owners, places = self.places(rows)
        timed = self.history.visits[places] != BACKGROUND
        return owners[timed], self.history.codes.values[places[timed]]

    def _read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As `places`, before truncation."""
        history = self.history
        places = history.codes.places(rows)
        owners = np.repeat(np.arange(len(rows)), history.codes.lengths[rows])
        if self.background and self.coding.reads.all():
            return owners, places
        timed = history.visits[places] != BACKGROUND
        kept = np.where(timed, self.coding.reads[history.codes.values[places]], self.background)
        return owners[kept], places[kept]


def batch_of(
    chosen: Sequence[tuple[Sequences, NDArray[np.int64]]], asked: Asked | None = None
) -> Batch:
    """Rows of several histories, one after the other.

    asked: append a [MASK], as an event of the newest visit, or as the only one of a new visit at
    the index time; all sequences are longer by one then.
    """
    lengths = np.concatenate([sequences.lengths[rows] for sequences, rows in chosen])
    lengths = lengths + (asked is not None)
    shape = len(lengths), int(lengths.max(initial=1))
    codes, segments = np.full(shape, PAD, np.int64), np.zeros(shape, np.int64)
    ages, times = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    codes[:, 0] = CLS
    start = 0
    for sequences, rows in chosen:
        history = sequences.history
        owners, places = sequences.places(rows)
        counts = sequences.lengths[rows] - 1
        columns = 1 + np.arange(len(owners)) - (counts.cumsum() - counts)[owners]
        cells = owners + start, columns
        index_days, visits = history.index_days[rows], history.visits[places]
        timed = visits != BACKGROUND
        newest = np.zeros(len(rows), np.int64)
        np.maximum.at(newest, owners, visits)
        codes[cells] = sequences.coding.ids[history.codes.values[places]]
        segments[cells] = np.where(timed, newest[owners] - visits + 1, 0)
        ages[cells] = np.where(timed, history.ages[places], np.nan)
        times[cells] = np.where(timed, index_days[owners] - history.days[places], np.nan)
        start += len(rows)
    if asked is not None:
        index_days = np.concatenate([one.history.index_days[rows] for one, rows in chosen])
        _ask(asked, index_days, codes, segments, ages, times, lengths)
    return Batch(*map(torch.from_numpy, (codes, segments, ages, times, lengths)))


def _ask(
    asked: Asked,
    index_days: NDArray[np.float64],
    codes: NDArray[np.int64],
    segments: NDArray[np.int64],
    ages: NDArray[np.float32],
    times: NDArray[np.float32],
    lengths: NDArray[np.int64],
) -> None:
    """Put a [MASK] at the end of rows [n, L] of these lengths, in place."""
    rows, ends = np.arange(len(lengths)), lengths - 1
    last_age, last_time = ages[rows, ends - 1], times[rows, ends - 1]
    if asked == "next_visit":
        segments[segments > 0] += 1
        last_age = last_age + ((index_days - last_time) / DAYS_A_YEAR).astype(np.float32)
        last_time = index_days.astype(np.float32)
    codes[rows, ends], segments[rows, ends] = MASK, 1
    ages[rows, ends], times[rows, ends] = last_age, last_time


def packed(
    lengths: NDArray[np.int64], budget: int, generator: np.random.Generator | None = None
) -> list[NDArray[np.int64]]:
    """Rows in batches of like lengths: a batch's rows times its longest are at most `budget`
    tokens, or it is one row.

    generator: draws who meets whom, and the order of batches; None: by length.
    """
    key = lengths if generator is None else lengths * generator.uniform(1, 1 + JITTER, len(lengths))
    order = np.argsort(key, kind="stable")
    batches, start, longest = [], 0, 0
    for place, length in enumerate(lengths[order].tolist()):
        longest = max(longest, length)
        if place > start and (place + 1 - start) * longest > budget:
            batches.append(order[start:place])
            start, longest = place, length
    if len(order):
        batches.append(order[start:])
    if generator is not None:
        generator.shuffle(batches)
    return batches
