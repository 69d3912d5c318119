"""What was recorded of the encounters of a cohort until their index time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.events.database import count
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.task import Task
from concept_transfer.sites.code_use import FATES, MAPPED, SET_ASIDE, UNMAPPED, CodeUse
from concept_transfer.sites.tokens import distinct, token_rows

# An event counts where it lies between `since` and `until`; what is without a time holds always.
# After the index time itself codes of the outcome are no findings.
WITHIN = """(e.time IS NULL OR (e.time >= c.since AND e.time < c.until
    AND (e.time < c.time OR e.code NOT IN (SELECT code FROM outcome_codes))))"""
YEAR = 365.25 * 86400e6  # microseconds


@dataclass(frozen=True)
class Recorded:
    """findings: of the encounters; use: what becomes of the codes recorded until their index time;
    not_recorded: concept -> encounters without it."""

    findings: CompressedRows
    use: CodeUse
    not_recorded: Mapping[str, int]


def recorded(
    db: DuckDBPyConnection,
    vocabulary: Vocabulary,
    task: Task,
    age: str | None,
    aside: Iterable[str] = (),
) -> Recorded:
    """From ``events``, ``cohort``, ``tokens``, ``numbers`` and ``outcome_codes`` (code).

    Of several numbers of a concept the last before the index counts, of those at one time the
    largest. age: the concept that holds the years between ``births`` (patient, time) and the index
    time; aside: codes of which somebody said that they have no concept.
    """
    _codes_of_rows(db)
    found = db.execute(
        "SELECT DISTINCT r.row, t.token FROM recorded_codes r JOIN event_codes k USING (id) "
        "JOIN tokens t ON t.code = k.code"
    ).fetchnumpy()
    rows: list[NDArray[np.int64]] = [np.asarray(found["row"], np.int64)]
    tokens: list[NDArray[np.int64]] = [np.asarray(found["token"], np.int64)]
    for concept in vocabulary.bins:
        numbers = numbers_of(db, concept, age)
        known = np.flatnonzero(~np.isnan(numbers))
        ids = np.array([vocabulary.index[concept, s] for s in vocabulary.bins[concept].states])
        rows.append(known)
        tokens.append(ids[vocabulary.bins[concept].state_numbers(numbers[known])])
    row, token = np.concatenate(rows), np.concatenate(tokens)
    size = count(db, "SELECT count(*) FROM cohort")
    return Recorded(
        token_rows(row, token, size, vocabulary, task),
        _use(db, aside),
        _not_recorded(row, token, size, vocabulary),
    )


def _codes_of_rows(db: DuckDBPyConnection) -> None:
    """Make ``event_codes`` (id, code) of all events, and ``recorded_codes`` (row, id): which codes
    were recorded of a row of the cohort."""
    db.execute(
        "CREATE OR REPLACE TEMP TABLE event_codes AS "
        "SELECT row_number() OVER ()::INTEGER AS id, code FROM (SELECT DISTINCT code FROM events)"
    )
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE recorded_codes AS
        SELECT DISTINCT c.row, k.id FROM events e JOIN event_codes k ON k.code = e.code
        JOIN cohort c ON c.patient = e.patient WHERE {WITHIN}
        """
    )


def _use(db: DuckDBPyConnection, aside: Iterable[str]) -> CodeUse:
    """What becomes of the codes of ``recorded_codes``."""
    mapped = "(SELECT code FROM tokens UNION SELECT code FROM numbers)"
    counted = db.execute(
        f"""
        SELECT k.code, k.code IN {mapped} AS mapped, count(*) AS encounters
        FROM recorded_codes r JOIN event_codes k USING (id) GROUP BY k.code
        """
    ).fetchall()
    codes: dict[str, Counter[str]] = {fate: Counter() for fate in FATES}
    none = set(aside)
    for code, has_concept, encounters in counted:
        fate = MAPPED if has_concept else SET_ASIDE if code in none else UNMAPPED
        codes[fate][code] = int(encounters)
    return CodeUse(
        codes,
        count(db, "SELECT count(DISTINCT row) FROM recorded_codes"),
        count(
            db,
            "SELECT count(DISTINCT row) FROM recorded_codes WHERE id IN "
            f"(SELECT id FROM event_codes WHERE code IN {mapped})",
        ),
    )


def numbers_of(db: DuckDBPyConnection, concept: str, age: str | None) -> NDArray[np.float64]:
    """The number of a concept at every encounter, float64 [n], NaN for none."""
    numbers = np.full(count(db, "SELECT count(*) FROM cohort"), np.nan)
    query = f"""
        SELECT c.row, arg_max(e.value * n.factor,
            row(coalesce(e.time, TIMESTAMP '-infinity'), e.value * n.factor)) AS value
        FROM events e JOIN numbers n ON n.code = e.code AND (n.unit IS NULL OR n.unit = e.unit)
        JOIN cohort c ON c.patient = e.patient
        WHERE n.concept = ? AND isfinite(e.value) AND {WITHIN} GROUP BY c.row
    """
    found = db.execute(query, [concept]).fetchnumpy()
    if concept == age:
        found = db.execute(
            f"""
            SELECT c.row, min(epoch_us(c.time) - epoch_us(b.time)) / {YEAR} AS value
            FROM cohort c JOIN births b ON b.patient = c.patient GROUP BY c.row
            """
        ).fetchnumpy()
    numbers[found["row"]] = found["value"]
    return numbers


def _not_recorded(
    row: NDArray[np.int64], token: NDArray[np.int64], size: int, vocabulary: Vocabulary
) -> dict[str, int]:
    concepts = list(vocabulary.concept_states)
    pairs = distinct(row * len(concepts) + vocabulary.concept_numbers[token])
    having = np.bincount(pairs % len(concepts), minlength=len(concepts))
    return {c: size - int(n) for c, n in zip(concepts, having, strict=True) if n < size}
