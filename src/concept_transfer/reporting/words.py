"""Lists and counts in running text."""

from __future__ import annotations

from collections.abc import Sequence


def listing(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 site``, ``2 sites``; a noun may have a plural of its own."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
