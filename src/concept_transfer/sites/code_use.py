"""How much of what a site's codes record has a concept in the vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAPPED, SET_ASIDE, UNMAPPED = "mapped", "set_aside", "unmapped"
FATES = (MAPPED, SET_ASIDE, UNMAPPED)


def fate_of(tokens: Sequence[int] | None) -> str:
    """What becomes of a code with these tokens; None: nobody said."""
    if tokens is None:
        return UNMAPPED
    return MAPPED if tokens else SET_ASIDE


@dataclass(frozen=True)
class CodeUse:
    """Encounters of codes, by what becomes of a code: a concept (or several) takes it, somebody
    set it aside because there is none, or nobody said.

    codes: fate -> code -> encounters at which it is recorded. encounters: those with any code;
    encounters_mapped: those with a code that a concept takes.
    """

    codes: dict[str, Counter[str]]
    encounters: int
    encounters_mapped: int

    @property
    def unmapped(self) -> Counter[str]:
        return self.codes[UNMAPPED]

    def mapping(self) -> dict[str, Any]:
        """The numbers for `report.json`: codes and values by fate, encounters, and those
        of each code that a concept takes.

        A value is a code at an encounter, however often it is recorded there.
        """
        return {
            "codes": {fate: len(self.codes[fate]) for fate in FATES},
            "values": {fate: self.codes[fate].total() for fate in FATES},
            "mapped_codes": dict(self.codes[MAPPED].most_common()),
            "encounters": self.encounters,
            "encounters_mapped": self.encounters_mapped,
        }


def code_use(recorded: Iterable[tuple[str, str, NDArray[np.int64]]], count: int) -> CodeUse:
    """The use of codes at `count` encounters.

    recorded: code, its fate, and the encounters (from 0, each once) at which it is recorded. A
    code may come twice if its encounters differ.
    """
    codes: dict[str, Counter[str]] = {fate: Counter() for fate in FATES}
    with_code, with_concept = np.zeros(count, bool), np.zeros(count, bool)
    for code, fate, rows in recorded:
        if len(rows):
            codes[fate][code] += len(rows)
        with_code[rows] = True
        if fate == MAPPED:
            with_concept[rows] = True
    return CodeUse(codes, int(with_code.sum()), int(with_concept.sum()))
