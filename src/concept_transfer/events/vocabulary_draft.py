"""A first vocabulary from the codes of coded events, for its author to cut and to word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.mapping import PRESENT

FINDING = "finding"
_PARTS = re.compile(r"//?|[|:]")


@dataclass(frozen=True)
class Draft:
    """vocabulary: a token a code; numbers: code -> its name, of codes that hold numbers and need
    bins (`bins: {code: {quantiles: {of: site, bins: 4}}}`), which bring their own tokens; rare:
    codes left out because too few patients have them."""

    vocabulary: Vocabulary
    numbers: Mapping[str, str]
    rare: int


def draft(
    db: DuckDBPyConnection, descriptions: Mapping[str, str | None], least_patients: int
) -> Draft:
    """The codes of ``events`` that at least so many patients have, the most frequent first; those
    of MEDS itself (birth, death) are none.

    A code's text is its description, or itself; its category the part before a separator, as in
    ``LAB//sodium``. A code holds numbers if most of its events have one. Raises StudyError where no
    code has so many patients.
    """
    every = db.execute(
        """
        SELECT code, 2 * count(value) FILTER (WHERE isfinite(value)) > count(*) AS numeric,
            count(DISTINCT patient) AS patients
        FROM events WHERE NOT starts_with(code, 'MEDS_')
        GROUP BY code ORDER BY patients DESC, code
        """
    ).fetchall()
    rows = [(code, numeric) for code, numeric, patients in every if patients >= least_patients]
    if not rows:
        raise StudyError(
            f"no code is recorded of {least_patients} patients or more, so there is no vocabulary "
            "to draft; look at the events, or lower the number"
        )
    names = {code: _line(descriptions.get(code)) or code for code, _ in rows}
    found = [code for code, numeric in rows if not numeric]
    tokens = [(code, names[code], _category(code), PRESENT, names[code]) for code in found]
    numbers = {code: names[code] for code, numeric in rows if numeric}
    columns = zip(*tokens, strict=True) if tokens else [()] * 5
    return Draft(Vocabulary(*map(tuple, columns)), numbers, len(every) - len(rows))


def _line(text: str | None) -> str:
    """A text without line breaks, tabs and blanks around it, which a table cannot hold."""
    return " ".join((text or "").split())


def _category(code: str) -> str:
    first, *rest = _PARTS.split(code)
    return first.casefold() if rest and first else FINDING
