"""The words of a text: what taggers read, labels stand at, and scores count."""

from __future__ import annotations

import re
from typing import NamedTuple

_WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+|\S")


class Word(NamedTuple):
    """A word and where it stands: characters [start, end) of its text."""

    text: str
    start: int
    end: int


def words(text: str) -> list[Word]:
    """Runs of letters and digits, and every other visible character by itself.

    >>> [word.text for word in words("BP 120/80, no chest-pain.")]
    ['BP', '120', '/', '80', ',', 'no', 'chest', '-', 'pain', '.']
    >>> words("T 38.5")[1]
    Word(text='38', start=2, end=4)
    """
    return [Word(found[0], *found.span()) for found in _WORD.finditer(text)]
