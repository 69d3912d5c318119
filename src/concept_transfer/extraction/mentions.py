"""A finding as a text mentions it, and what is said of it there."""

from __future__ import annotations

from typing import NamedTuple

PRESENT, ABSENT = "present", "absent"
UNCERTAIN, HYPOTHETICAL, FAMILY, PAST = "uncertain", "hypothetical", "family", "past"
ASSERTIONS = (PRESENT, ABSENT, UNCERTAIN, HYPOTHETICAL, FAMILY, PAST)


class Mention(NamedTuple):
    """Characters [start, end) of a text, the concept and state that they name, and what is said of
    it, one of `ASSERTIONS`."""

    start: int
    end: int
    concept: str
    state: str
    assertion: str
