"""What was recorded of patients, event by event in the order of time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.errors import StudyError
from concept_transfer.events.cohort import DAY, encounters_of
from concept_transfer.events.database import count
from concept_transfer.events.findings import YEAR
from concept_transfer.inputs.history import BACKGROUND, History
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.sites.histories import Histories

INSTANT = "INTERVAL 1 MICROSECOND"
EPOCH = "TIMESTAMP '2000-01-01'"
OWN = "NOT starts_with(code, 'MEDS_')"  # birth and death of the standard are no history


def histories_of(db: DuckDBPyConnection, encounters: Encounters) -> Histories:
    """The histories of ``cohort``, whose rows must be those of `encounters`, and of all patients.

    Raises StudyError where they are others, and where no encounter has an event before its index
    time.
    """
    made, given = (each.table["encounter"] for each in (encounters_of(db), encounters))
    if not made.equals(given):
        raise StudyError(
            f"the raw files give {len(made):,} encounters, and not the {len(given):,} of "
            "encounters.parquet, one by one; delete the site's folder in encounters/, and let the "
            "workflow write it again"
        )
    cohort = cohort_histories(db)
    check_any(cohort)
    return Histories(cohort, *patient_histories(db))


def check_any(history: History) -> None:
    """Raise StudyError where no encounter has an event with a time."""
    if not history.dated.any():
        raise StudyError(
            f"none of the {len(history):,} encounters has an event before its index time, so there "
            "is no history to read; look at the index times and at look_back_days"
        )


def cohort_histories(
    db: DuckDBPyConnection, until_before: bool = True, rows: range | None = None
) -> History:
    """The history of each row of ``cohort``, or of the given ones: the events of its patient from
    `since` to before `time` (or up to it), and those without a time. From ``events`` with a column
    ``visit``, and ``births``.

    The events that one visit holds are of one visit, and so are those without any of one day;
    visits are numbered as they begin. Events at one time are ordered by visit and code.
    """
    until = "time" if until_before else f"time + {INSTANT}"
    first, some = (0, "") if rows is None else (rows.start, f"AND row < {rows.stop}")
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE spans AS
        SELECT row - {first} AS row, patient, since, {until} AS until, time AS index_time
        FROM cohort WHERE row >= {first} {some}
        """
    )
    return _histories(db)


def patient_histories(db: DuckDBPyConnection) -> tuple[History, pa.Array]:
    """The whole record of each patient with an event that has a time, and their ids (strings), in
    order; the index time is that of the last event, which is in the record."""
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE spans AS
        SELECT (row_number() OVER (ORDER BY patient) - 1)::INTEGER AS row, patient,
            TIMESTAMP '-infinity' AS since, max(time) + {INSTANT} AS until,
            max(time) AS index_time
        FROM events WHERE time IS NOT NULL AND {OWN} GROUP BY patient
        """
    )
    ids = db.execute("SELECT patient::VARCHAR AS patient FROM spans ORDER BY row").to_arrow_table()
    return _histories(db), ids["patient"].combine_chunks()


def _histories(db: DuckDBPyConnection) -> History:
    """The histories of ``spans`` (row, patient, since, until, index_time)."""
    _number(db, "code", "history_codes", f"WHERE {OWN}")
    _number(db, "visit", "history_visits", "WHERE visit IS NOT NULL")
    names = db.execute("SELECT code FROM history_codes ORDER BY id").fetchall()
    day = "-date_diff('day', DATE '0001-01-01', e.time::DATE) - 1"
    found = db.execute(
        f"""
        SELECT s.row, k.id, CASE WHEN e.time IS NULL THEN {BACKGROUND}
                ELSE coalesce(v.id + 1, {day}) END::INTEGER AS visit_number,
            coalesce((epoch_us(s.index_time) - epoch_us(e.time)) / {DAY}, 'nan')::FLOAT AS days,
            coalesce((epoch_us(e.time) - epoch_us(b.time)) / {YEAR}, 'nan')::FLOAT AS age
        FROM events e JOIN history_codes k USING (code) JOIN spans s USING (patient)
        LEFT JOIN history_visits v USING (visit) LEFT JOIN births b USING (patient)
        WHERE e.time IS NULL OR (e.time >= s.since AND e.time < s.until)
        ORDER BY s.row, e.time NULLS FIRST, visit_number, k.id
        """
    ).fetchnumpy()
    index = db.execute(
        f"SELECT (epoch_us(index_time) - epoch_us({EPOCH})) / {DAY}::DOUBLE AS days "
        "FROM spans ORDER BY row"
    ).fetchnumpy()
    rows, size = np.asarray(found["row"]), count(db, "SELECT count(*) FROM spans")
    offsets = np.zeros(size + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=size), out=offsets[1:])
    return History(
        CompressedRows(offsets, np.asarray(found["id"])),
        visit_numbers(rows, np.asarray(found["visit_number"])),
        np.asarray(found["days"]),
        np.asarray(found["age"]),
        np.asarray(index["days"]),
        tuple(name for (name,) in names),
    )


def visit_numbers(rows: NDArray[np.int32], visits: NDArray[np.int32]) -> NDArray[np.int32]:
    """Numbers of visits within each row, from 1 in the order in which they begin, int32 [events].

    rows: ascending; visits: any number of each event's visit, alike for those of one visit, which
    may be apart; `BACKGROUND` keeps its number, and comes first in a row.
    """
    starts = np.concatenate([[True], (np.diff(rows) != 0) | (np.diff(visits) != 0)])[: len(rows)]
    row, visit = rows[starts], visits[starts]  # of each run of events of one visit
    order = np.lexsort((visit, row))  # stable: of the runs of a visit the earliest comes first
    first = np.concatenate([[True], (np.diff(row) != 0) | (np.diff(visit[order]) != 0)])
    first = first[: len(row)]
    begins = np.zeros(len(row), bool)
    begins[order[first]] = visit[order[first]] != BACKGROUND
    number = begins.cumsum()
    before = np.where(np.diff(row, prepend=-1) != 0, number - begins, 0)
    number -= np.maximum.accumulate(before)
    number[order] = number[order[first]][first.cumsum() - 1]
    return np.asarray(number[starts.cumsum() - 1], np.int32)


def _number(db: DuckDBPyConnection, column: str, table: str, where: str) -> None:
    """Make a table (id INTEGER from 0, column) of the values of a column of ``events``."""
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {table} AS
        SELECT (row_number() OVER (ORDER BY {column}) - 1)::INTEGER AS id, {column}
        FROM (SELECT DISTINCT {column} FROM events {where})
        """
    )
