"""Which token, or which number of which concept, a code of an event stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.sites.units import Units

PRESENT = "present"


@dataclass(frozen=True)
class Meaning:
    """A code says that a concept has a state, or holds the number of a binned concept (state None).

    units: unit as recorded -> what brings the number to the unit of the bins; without any, all
    numbers of the code must have one unit, or none.
    """

    code: str
    concept: str
    state: str | None = PRESENT
    units: Mapping[str, float] = field(default_factory=dict)


def by_name(vocabulary: Vocabulary, codes: Iterable[str]) -> list[Meaning]:
    """Codes that are concepts: present, or a number where the concept is binned."""
    known = vocabulary.concept_states
    return [
        Meaning(code, code, None if code in vocabulary.bins else PRESENT)
        for code in codes
        if code in known
    ]


def write_mapping(
    db: DuckDBPyConnection, meanings: Iterable[Meaning], vocabulary: Vocabulary
) -> None:
    """Make the tables ``tokens`` (code, token INTEGER) and ``numbers`` (code, concept, unit or
    null for any, factor).

    A state that the vocabulary lacks for a concept counts as not recorded.
    """
    states, numbers = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for each in meanings:
        if each.state is None:
            units = each.units.items() or {None: 1.0}.items()
            numbers += [(each.code, each.concept, unit, factor) for unit, factor in units]
        elif (token := vocabulary.index.get((each.concept, each.state))) is not None:
            states.append((each.code, token))
    _table(db, "tokens", {"code": "VARCHAR", "token": "INTEGER"}, states)
    columns = {"code": "VARCHAR", "concept": "VARCHAR", "unit": "VARCHAR", "factor": "DOUBLE"}
    _table(db, "numbers", columns, numbers)


def check_units(db: DuckDBPyConnection) -> dict[str, Units]:
    """Concept -> the units of its numbers, where they have any.

    Raises StudyError where numbers have a unit that is not declared, or those of a concept several
    units of which none is.
    """
    found = db.execute(
        """
        SELECT n.concept, e.code, e.unit, count(*) AS numbers, n.declared
        FROM events e JOIN (
            SELECT code, concept, bool_or(unit IS NOT NULL) AS declared FROM numbers GROUP BY ALL
        ) n ON n.code = e.code
        WHERE e.value IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM numbers k WHERE k.code = e.code AND k.unit = e.unit)
        GROUP BY ALL ORDER BY n.concept, numbers DESC, e.code
        """
    ).fetchall()
    told: dict[str, list[str]] = {}
    recorded: dict[str, set[str]] = {}
    wanting = set[str]()
    for concept, code, unit, numbers, declared in found:
        told.setdefault(concept, []).append(f"{numbers:,} of code {code} in {unit or 'no unit'}")
        recorded.setdefault(concept, set()).add(unit or "")
        if declared or len(recorded[concept]) > 1:
            wanting.add(concept)
    if wanting:
        concept = min(wanting)
        raise StudyError(
            f"the numbers of concept {concept} have units that are not declared: "
            f"{', '.join(told[concept])}; give each its factor to the unit of the bins under "
            f"'units' ({len(wanting)} concept(s) are affected). No unit is ever guessed"
        )
    units = {c: Units(False, sorted(of)) for c, of in recorded.items() if of != {""}}
    as_bins = db.execute(
        "SELECT concept, list_sort(list(DISTINCT unit)) FROM numbers "
        "WHERE factor = 1 AND unit IS NOT NULL GROUP BY concept"
    ).fetchall()
    return {concept: Units(True, of) for concept, of in as_bins} | units


def _table(
    db: DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]
) -> None:
    declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    db.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({declared})")
    if rows:
        given = pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))
        db.register("given_rows", given)
        db.execute(f"INSERT INTO {name} SELECT * FROM given_rows")
        db.unregister("given_rows")
