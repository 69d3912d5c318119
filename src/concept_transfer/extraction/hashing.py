"""What a CRF without a network reads of a word: letters, neighbours, as hashed features.

Nothing keeps the features' names: each is a number of 63 bits, by which it is found again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from concept_transfer.extraction.dictionary import compared
from concept_transfer.extraction.tagger import Sentence

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT, _SIGN = np.uint64(29), np.uint64(1)
_START, _END = "\0start", "\0end"  # beside a sentence
_GRAM = 3  # letters
_LONGEST = 12  # of lengths told apart
_REACH = 3  # neighbours on either side


def _shape(word: str) -> str:
    """Fe3 -> Xx0."""
    letters = re.sub(r"[^\W\d_]", lambda one: "X" if one[0].isupper() else "x", word)
    return re.sub(r"\d", "0", letters)


def _short_shape(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", _shape(word))


def _first(letters: int, word: str) -> str:
    return word.casefold()[:letters]


def _last(letters: int, word: str) -> str:
    return word.casefold()[-letters:]


ASPECTS: Mapping[str, Callable[[str], str]] = {
    "word": str,
    "lower": str.casefold,
    "stem": compared,
    "shape": _shape,
    "short": _short_shape,
    "length": lambda word: str(min(len(word), _LONGEST)),
    **{f"first{n}": partial(_first, n) for n in (2, 3, 4, 5)},
    **{f"last{n}": partial(_last, n) for n in (2, 3, 4, 5)},
}


def _parsed(template: str) -> list[tuple[int, str]]:
    """``-1 lower, 0 last3`` -> places relative to the word, with what is looked at there."""
    parts = (part.split() for part in template.split(","))
    return [(int(place), aspect) for place, aspect in parts]


TEMPLATES = [
    *([(0, aspect)] for aspect in ASPECTS),
    *([(place, "lower")] for place in (-3, -2, -1, 1, 2, 3)),
    *([(place, aspect)] for place in (-2, -1, 1, 2) for aspect in ("short", "last3", "stem")),
    *(
        _parsed(template)
        for template in (
            "-1 lower, 0 lower",
            "0 lower, 1 lower",
            "-2 lower, -1 lower",
            "1 lower, 2 lower",
            "-1 lower, 1 lower",
            "-1 short, 0 short, 1 short",
            "-1 last3, 0 last3",
            "0 last3, 1 last3",
            "-1 stem, 0 stem, 1 stem",
            "0 stem, 1 stem, 2 stem",
            "-2 stem, -1 stem, 0 stem",
            "0 last3, 1 lower",
            "-1 lower, 0 last3",
            "-1 lower, 0 short",
            "0 short, 1 lower",
        )
    ),
]


@dataclass(frozen=True)
class Features:
    """Of words laid end to end: hashes int64 [n], those of word i between starts[i] and
    starts[i + 1] (int64 [words + 1])."""

    hashes: NDArray[np.int64]
    starts: NDArray[np.int64]


def features(sentences: Sequence[Sentence], marks: Sequence[Sequence[str]]) -> Features:
    """What is read of each word of the sentences.

    marks: of each word, what else is known of it, such as its label in a dictionary.
    """
    numbers: dict[str, int] = {}
    ids = np.array(
        [numbers.setdefault(word, len(numbers)) for words in sentences for word in words]
    )
    around = _around(ids, sentences, len(numbers))
    columns: list[NDArray[np.uint64]] = []
    seen = [*numbers, _START, _END]
    hashed = {name: _hashes([aspect(word) for word in seen]) for name, aspect in ASPECTS.items()}
    for template in TEMPLATES:
        columns.append(_mixed([hashed[name][around[place]] for place, name in template], columns))
    marked: dict[str, int] = {}
    own = np.array([marked.setdefault(mark, len(marked)) for row in marks for mark in row])
    told = _around(own, sentences, len(marked))
    codes = _hashes([*marked, _START, _END])
    for places in ((0,), (-1,), (1,), (-1, 0), (0, 1), (-1, 0, 1)):
        columns.append(_mixed([codes[told[place]] for place in places], columns))
    columns.append(_mixed([codes[own], hashed["lower"][ids]], columns))
    columns.append(_mixed([codes[own], hashed["last3"][ids]], columns))
    grams, counts = _grams(list(numbers))
    return _rows(columns, _mixed([grams], columns), counts, ids)


def _around(
    ids: NDArray[np.int64], sentences: Sequence[Sentence], others: int
) -> dict[int, NDArray[np.int64]]:
    """Place beside each word -> the id there; `others` before a sentence, one more after it."""
    lengths = np.array([len(words) for words in sentences])
    ends = np.repeat(lengths.cumsum(), lengths)
    starts = ends - np.repeat(lengths, lengths)
    words = np.arange(len(ids))
    found = {}
    for place in range(-_REACH, _REACH + 1):
        there = words + place
        known = ids[there.clip(0, len(ids) - 1)]
        found[place] = np.where(there < starts, others, np.where(there >= ends, others + 1, known))
    return found


def _hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    digests = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _mixed(parts: Sequence[NDArray[np.uint64]], earlier: Sequence[object]) -> NDArray[np.uint64]:
    """One hash of several, which depends on their order and on how many templates came earlier."""
    result = np.full(len(parts[0]), len(earlier) + 1, np.uint64) * _MULTIPLIER
    for part in parts:
        result = (result ^ part) * _MULTIPLIER
        result ^= result >> _SHIFT
    return result


def _grams(words: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of the letter sequences of all words, one word after the other; how many each has."""
    known: dict[str, int] = {}
    lists = []
    for word in words:
        text = f"<{word.casefold()}>"
        grams = (text[i : i + _GRAM] for i in range(max(len(text) - _GRAM + 1, 1)))
        lists.append([known.setdefault(gram, len(known)) for gram in grams])
    order = np.array([number for numbers in lists for number in numbers], np.int64)
    return _hashes(list(known))[order], np.array(list(map(len, lists)), np.int64)


def _rows(
    columns: Sequence[NDArray[np.uint64]],
    grams: NDArray[np.uint64],
    counts: NDArray[np.int64],
    ids: NDArray[np.int64],
) -> Features:
    """Each word's templates, then its letter sequences."""
    several = counts[ids]
    starts = np.concatenate([[0], (several + len(columns)).cumsum()])
    hashes = np.empty(starts[-1], np.uint64)
    for number, column in enumerate(columns):
        hashes[starts[:-1] + number] = column
    within = np.arange(several.sum()) - np.repeat(several.cumsum() - several, several)
    places = np.repeat(starts[:-1] + len(columns), several) + within
    hashes[places] = grams[np.repeat((counts.cumsum() - counts)[ids], several) + within]
    return Features((hashes >> _SIGN).astype(np.int64), starts)
