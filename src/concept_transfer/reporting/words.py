"""Lists and counts in running text."""

from __future__ import annotations

from collections.abc import Sequence


def listing(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 site``, ``1,200 sites``; a plural that is not noun and s is given.

    >>> count(2, "strategy", "strategies")
    '2 strategies'
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
