"""Lists and counts in running text."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.cell import ALL_SITES


def listing(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def site_words(name: str) -> str:
    """A source by its name, or ``all sites`` together."""
    return "all sites" if name == ALL_SITES else name


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 site``, ``1,200 sites``; a plural that is not noun and s is given.

    >>> count(2, "strategy", "strategies")
    '2 strategies'
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
