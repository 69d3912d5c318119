"""A first vocabulary and first bins of the coded events of hospitals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.drafting.vocabulary import FEWEST
from concept_transfer.errors import StudyError
from concept_transfer.events.vocabulary_draft import Draft

QUARTERS = [0.25, 0.5, 0.75]


@dataclass(frozen=True)
class Number:
    """A code that holds numbers: its name, edges near the quartiles (three significant digits),
    and its units as recorded of `FEWEST` patients or more; unit: the only one in words, where it is
    recorded as a code."""

    name: str
    edges: Sequence[float]
    units: Sequence[str]
    unit: str = ""


@dataclass(frozen=True)
class EventDraft:
    """What one hospital records.

    rare: codes left out because too few patients have them; unusable: reason -> other codes left
    out; age: whether dates of birth are known; site: further lines of the site's section.
    """

    vocabulary: Vocabulary
    numbers: Mapping[str, Number]
    rare: int
    unusable: Mapping[str, int]
    age: bool
    site: str


def numbers_of(db: DuckDBPyConnection, drafted: Draft) -> dict[str, Number]:
    """The numbers of ``events`` under the draft's codes."""
    values = "FROM events WHERE isfinite(value) AND list_contains(?, code)"
    codes = [list(drafted.numbers)]
    quartiles = db.execute(
        f"SELECT code, approx_quantile(value, {QUARTERS}::FLOAT[]) {values} GROUP BY code", codes
    ).fetchall()
    edges = {code: sorted({float(f"{edge:.3g}") for edge in found}) for code, found in quartiles}
    pairs = db.execute(
        f"SELECT code, unit {values} AND unit <> '' GROUP BY code, unit "
        f"HAVING count(DISTINCT patient) >= {FEWEST} ORDER BY code, unit",
        codes,
    ).fetchall()
    units = {code: [unit for of, unit in pairs if of == code] for code in edges}
    return {code: Number(name, edges[code], units[code]) for code, name in drafted.numbers.items()}


def vocabulary_of(drafts: Iterable[EventDraft]) -> tuple[Vocabulary, dict[str, Number]]:
    """All tokens and numbers that any hospital brings, those of the first first. Raises StudyError
    where all codes hold numbers."""
    numbers: dict[str, Number] = {}
    tokens: dict[tuple[str, str], tuple[str, ...]] = {}
    for draft in drafts:
        words = draft.vocabulary
        numbers = {**draft.numbers, **numbers}
        columns = words.concepts, words.names, words.categories, words.states, words.texts
        for row in zip(*columns, strict=True):
            tokens.setdefault((row[0], row[3]), row)
    rows = [row for (concept, _), row in tokens.items() if concept not in numbers]
    if not rows:
        raise StudyError(
            "all codes hold numbers, and a vocabulary needs a finding that is present or not"
        )
    return Vocabulary(*zip(*rows, strict=True)), numbers
