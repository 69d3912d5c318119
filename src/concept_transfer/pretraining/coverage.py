"""What an encoder makes of the events of histories: which codes it knows, and what is cut off."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from concept_transfer.pretraining.batches import Sequences
from concept_transfer.pretraining.vocabulary import NOTHING, PREFIX, parts


@dataclass(frozen=True)
class Coverage:
    """events: those with a time that are read, by_prefix of them as the longest known code that
    theirs begins with; unknown: code -> its events that are read as unknown; cut: events that are
    not read because a history is too long."""

    events: int
    by_prefix: int
    unknown: Counter[str]
    cut: int

    @classmethod
    def of(cls, sequences: Sequences) -> Coverage:
        coding, names = sequences.coding, sequences.history.names
        counts = np.zeros(len(names), np.int64)
        rows = np.arange(len(sequences))
        for part in parts(sequences.lengths):
            _, codes = sequences.events(rows[part])
            counts += np.bincount(codes, minlength=len(names))
        unknown = np.flatnonzero((coding.found == NOTHING) & (counts > 0))
        return cls(
            int(counts.sum()),
            int(counts[coding.found == PREFIX].sum()),
            Counter({names[code]: int(counts[code]) for code in unknown}),
            int(sequences.cut.sum()),
        )

    def __add__(self, other: Coverage) -> Coverage:
        """Of the events of both."""
        return Coverage(
            self.events + other.events,
            self.by_prefix + other.by_prefix,
            self.unknown + other.unknown,
            self.cut + other.cut,
        )

    def shares(self) -> dict[str, float]:
        """Of the events that are read, ``events_by_prefix`` and ``events_unknown``; of all,
        ``events_cut``."""
        read = max(self.events, 1)
        return {
            "events_by_prefix": self.by_prefix / read,
            "events_unknown": self.unknown.total() / read,
            "events_cut": self.cut / max(self.events + self.cut, 1),
        }
