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
    histories: Sequence[History],
    rows: Sequence[NDArray[np.int64]],
    settings: CodeEncoder,
    persons: Sequence[NDArray[np.int64]] | None = None,
) -> CodeVocabulary:
    """The codes that at least `min_count` persons have, by the given rows of the histories.

    persons: int64 [n] a history, whose each of its rows is; None: every row is another's. Raises
    StudyError where no event's code is left.
    """
    keys: dict[tuple[bool, str], int] = {}
    width = 2 * sum(len(history.names) for history in histories)
    counts, pairs = np.zeros(width, np.int64), [np.zeros(0, np.int64)]
    for place, (history, chosen) in enumerate(zip(histories, rows, strict=True)):
        numbers = np.array(
            [
                [keys.setdefault((timed, name), len(keys)) for name in history.names]
                for timed in (False, True)
            ]
        )
        for part in parts(history.codes.lengths[chosen]):
            owners, timed, codes = _distinct(history, chosen[part])
            if persons is None:
                counts += np.bincount(numbers[timed, codes], minlength=width)
            else:
                whose = persons[place][chosen[part]][owners]
                pairs.append(whose * width + numbers[timed, codes])
    if persons is not None:
        counts = np.bincount(np.unique(np.concatenate(pairs)) % width, minlength=width)
    reads = read([name for _, name in keys], settings.codes)
    asked = {
        key: int(counts[number])
        for key, number in keys.items()
        if (reads[number] if key[0] else settings.background)
    }
    kept = [key for key, count in asked.items() if count >= settings.min_count]
    events = sorted(name for timed, name in kept if timed)
    background = sorted({name for timed, name in kept if not timed} - {*events})
    if not events:
        most = max((count for (timed, _), count in asked.items() if timed), default=0)
        raise StudyError(
            f"of the codes that 'codes' lets through ({json.dumps(settings.codes)}) none is left "
            f"that {settings.min_count} patients have (the most frequent one: {most}); lower "
            "'min_count', or widen 'codes'"
        )
    return CodeVocabulary((*background, *events), len(background))


def _distinct(
    history: History, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """What each row has, once: its place among the given ones, whether (1) or not (0) with a time,
    and the code; int64 [m] each."""
    width = len(history.names)
    places = history.codes.places(rows)
    owners = np.repeat(np.arange(len(rows)), history.codes.lengths[rows])
    timed = history.visits[places] != BACKGROUND
    once = np.unique((owners * 2 + timed) * width + history.codes.values[places])
    held, codes = np.divmod(once, width)
    return held // 2, held % 2, codes


def parts(lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Rows of these lengths in parts of about `EVENTS_AT_ONCE` events."""
    numbers = (lengths.cumsum() - lengths) // EVENTS_AT_ONCE
    bounds = [*np.flatnonzero(np.diff(numbers, prepend=-1)).tolist(), len(lengths)]
    return (slice(start, stop) for start, stop in pairwise(bounds))
