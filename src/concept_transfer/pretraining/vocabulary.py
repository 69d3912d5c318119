"""The codes that an encoder knows, and what it reads a site's codes as."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import BACKGROUND, History
from concept_transfer.settings.encoders import CodeEncoder

PAD, CLS, UNKNOWN, MASK = range(4)
SPECIALS = 4  # ids below are of no code
EXACT, PREFIX, NOTHING = range(3)
EVENTS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Coding:
    """What an encoder reads a site's codes as.

    ids: int64 [names], of the encoder; found: int8 [names], `EXACT`, `PREFIX` (as the longest
    known code that it begins with) or `NOTHING` (as unknown); reads: bool [names], whether events
    of the code are read at all.
    """

    ids: NDArray[np.int64]
    found: NDArray[np.int8]
    reads: NDArray[np.bool_]


@dataclass(frozen=True)
class CodeVocabulary:
    """names: codes in the order of their ids, from `SPECIALS` on; background: how many of them,
    the first, were recorded without a time, as sex is, and are never predicted."""

    names: tuple[str, ...]
    background: int = 0

    def __len__(self) -> int:
        """Number of ids, those that are of no code included."""
        return SPECIALS + len(self.names)

    @property
    def first_event(self) -> int:
        """The first id of a code that may be masked and predicted; all after it may be too."""
        return SPECIALS + self.background

    def coding(self, names: Sequence[str], patterns: Iterable[str]) -> Coding:
        """What the codes of a site are read as; patterns: `CodeEncoder.codes`.

        >>> known = CodeVocabulary(("E11", "I10"))
        >>> known.coding(("I10", "E119", "Z99"), ["*"]).ids.tolist()
        [5, 4, 2]
        """
        places = {name: place for place, name in enumerate(self.names, SPECIALS)}
        prefixes = [longest_prefix(name, places) for name in names]
        ids = [UNKNOWN if prefix is None else places[prefix] for prefix in prefixes]
        found = [
            NOTHING if prefix is None else EXACT if prefix == name else PREFIX
            for prefix, name in zip(prefixes, names, strict=True)
        ]
        return Coding(np.array(ids, np.int64), np.array(found, np.int8), read(names, patterns))


def longest_prefix(code: str, known: Iterable[str]) -> str | None:
    """The code itself where it is known (a set or dict), else its longest beginning that is.

    >>> longest_prefix("E119", {"E1", "E11", "I10"})
    'E11'
    """
    return next((code[:end] for end in range(len(code), 0, -1) if code[:end] in known), None)


def read(names: Sequence[str], patterns: Iterable[str]) -> NDArray[np.bool_]:
    """Which codes are one of the patterns, or begin as a pattern that ends in * does."""
    patterns = list(patterns)
    exact = {pattern for pattern in patterns if not pattern.endswith("*")}
    begins = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
    return np.array([name in exact or name.startswith(begins) for name in names], bool)


def vocabulary_of(
    histories: Sequence[History], rows: Sequence[NDArray[np.int64]], settings: CodeEncoder
) -> CodeVocabulary:
    """The codes that at least `min_count` of the given rows of the histories have.

    Raises StudyError where no event's code is left.
    """
    counts: dict[tuple[bool, str], int] = {}
    for history, chosen in zip(histories, rows, strict=True):
        reads = read(history.names, settings.codes)
        for timed, found in zip((False, True), _patients(history, chosen), strict=True):
            for place in found.nonzero()[0]:
                name = history.names[place]
                if reads[place] if timed else settings.background:
                    counts[timed, name] = counts.get((timed, name), 0) + int(found[place])
    kept = [key for key, count in counts.items() if count >= settings.min_count]
    events = sorted(name for timed, name in kept if timed)
    background = sorted({name for timed, name in kept if not timed} - {*events})
    if not events:
        most = max((count for (timed, _), count in counts.items() if timed), default=0)
        raise StudyError(
            f"of the codes that 'codes' lets through ({json.dumps(settings.codes)}) none is left "
            f"that {settings.min_count} patients have (the most frequent one: {most}); lower "
            "'min_count', or widen 'codes'"
        )
    return CodeVocabulary((*background, *events), len(background))


def _patients(
    history: History, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """In how many of the rows each code stands without a time, and with one; int64 [names]."""
    width = len(history.names)
    counts = np.zeros((2, width), np.int64)
    for part in parts(history.codes.lengths[rows]):
        places = history.codes.places(rows[part])
        owners = np.repeat(np.arange(len(rows[part])), history.codes.lengths[rows[part]])
        timed = history.visits[places] != BACKGROUND
        once = np.unique((owners * 2 + timed) * width + history.codes.values[places])
        counts += np.bincount(once % (2 * width), minlength=2 * width).reshape(2, width)
    return counts[0], counts[1]


def parts(lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Rows of these lengths in parts of about `EVENTS_AT_ONCE` events."""
    numbers = (lengths.cumsum() - lengths) // EVENTS_AT_ONCE
    bounds = [*np.flatnonzero(np.diff(numbers, prepend=-1)).tolist(), len(lengths)]
    return (slice(start, stop) for start, stop in pairwise(bounds))
