"""What was recorded of the encounters of a cohort until their index time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.task import Task
from concept_transfer.sites.tokens import token_rows

# An event counts where it lies between `since` and `until`; what is without a time holds always.
# After the index time itself codes of the outcome are no findings.
WITHIN = """(e.time IS NULL OR (e.time >= c.since AND e.time < c.until
    AND (e.time < c.time OR e.code NOT IN (SELECT code FROM outcome_codes))))"""
YEAR = 365.25 * 86400e6  # microseconds


@dataclass(frozen=True)
class Recorded:
    """findings: of the encounters; unmapped: code -> events of the cohort's patients that no
    concept takes; not_recorded: concept -> encounters without it."""

    findings: CompressedRows
    unmapped: Mapping[str, int]
    not_recorded: Mapping[str, int]


def recorded(
    db: DuckDBPyConnection, vocabulary: Vocabulary, task: Task, age: str | None
) -> Recorded:
    """From ``events``, ``cohort``, ``tokens``, ``numbers`` and ``outcome_codes`` (code).

    Of several numbers of a concept the last before the index counts. age: the concept that holds
    the years between ``births`` (patient, time) and the index time.
    """
    found = db.execute(
        f"""
        SELECT DISTINCT c.row, t.token FROM events e JOIN tokens t ON t.code = e.code
        JOIN cohort c ON c.patient = e.patient WHERE {WITHIN}
        """
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
    count = int(db.execute("SELECT count(*) FROM cohort").fetchall()[0][0])
    return Recorded(
        token_rows(row, token, count, vocabulary, task),
        unmapped(db),
        _not_recorded(row, token, count, vocabulary),
    )


def numbers_of(db: DuckDBPyConnection, concept: str, age: str | None) -> NDArray[np.float64]:
    """The number of a concept at every encounter, float64 [n], NaN for none."""
    size = int(db.execute("SELECT count(*) FROM cohort").fetchall()[0][0])
    numbers = np.full(size, np.nan)
    query = f"""
        SELECT c.row, arg_max(e.value * n.factor, coalesce(e.time, TIMESTAMP '-infinity')) AS value
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


def unmapped(db: DuckDBPyConnection) -> Counter[str]:
    """Codes of the cohort's patients that no concept takes, with their events."""
    rows = db.execute(
        """
        SELECT code, count(*) FROM events e
        WHERE patient IN (SELECT patient FROM cohort)
        AND code NOT IN (SELECT code FROM tokens) AND code NOT IN (SELECT code FROM numbers)
        GROUP BY code
        """
    ).fetchall()
    return Counter({code: int(number) for code, number in rows})


def _not_recorded(
    row: NDArray[np.int64], token: NDArray[np.int64], count: int, vocabulary: Vocabulary
) -> dict[str, int]:
    concepts = list(vocabulary.concept_states)
    place = {concept: i for i, concept in enumerate(concepts)}
    concept_of = np.array([place[concept] for concept in vocabulary.concepts])
    pairs = np.unique(row * len(concepts) + concept_of[token])
    having = np.bincount(pairs % len(concepts), minlength=len(concepts))
    return {c: count - int(n) for c, n in zip(concepts, having, strict=True) if n < count}
