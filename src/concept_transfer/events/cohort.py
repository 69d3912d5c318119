"""The cohort of coded events: index times, labels, and who was left out and why."""

from __future__ import annotations

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.errors import StudyError
from concept_transfer.events.cohort_settings import Times, Window

DAY, HOUR = 86_400_000_000, 3_600_000_000  # microseconds
UNOBSERVED = "not observed at the index time"
DEAD = "dead at the index time"
SHORT = "observed for too short a time before the index"
BEFORE = "outcome before the index"
SOON = "outcome before the time at risk"
LOST = "not observed until the end of the time at risk"
REASONS = (UNOBSERVED, DEAD, SHORT, BEFORE, SOON, LOST)
NO_PATIENT = "labels of patients without events"
EARLY = "labels before the first event of the patient"


def by_rule(db: DuckDBPyConnection, times: Times) -> dict[str, int]:
    """Make ``cohort`` of index events and outcomes; returns reason -> index events left out.

    ``cohort``: row INTEGER (from 0, by patient and time), patient, time, since and until TIMESTAMP
    (findings are those from `since` to before `until`), label TINYINT. An outcome at the index time
    itself lies in the time at risk.
    """
    washed = "true"
    if times.washout_days is not None:
        washed = f"o.time >= i.time - {_micro(times.washout_days, DAY)}"
    first = "min(time)" if times.which == "first" else "time"
    group = "patient" if times.which == "first" else "patient, time"
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE candidates AS
        WITH indexed AS (
            SELECT patient, {first} + {_micro(times.after_hours, HOUR)} AS time
            FROM index_events WHERE time IS NOT NULL GROUP BY {group}
        ), outcome AS (
            SELECT i.patient, i.time,
                bool_or(o.time < i.time AND {washed}) AS before,
                bool_or(o.time >= i.time AND o.time < i.time + {_micro(times.gap_days, DAY)})
                    AS soon,
                bool_or(o.time >= i.time + {_micro(times.gap_days, DAY)}
                    AND o.time <= i.time + {_micro(times.horizon_days, DAY)}) AS later
            FROM indexed i JOIN outcomes o ON o.patient = i.patient
            GROUP BY i.patient, i.time
        )
        SELECT i.patient, i.time, coalesce(later, false) AS label, CASE
            WHEN b.patient IS NULL THEN '{UNOBSERVED}'
            WHEN b.death < i.time THEN '{DEAD}'
            WHEN i.time < b.start + {_micro(times.min_history_days, DAY)} THEN '{SHORT}'
            WHEN {times.washout_days != 0} AND before THEN '{BEFORE}'
            WHEN soon THEN '{SOON}'
            WHEN {times.follow_up == "required"} AND NOT coalesce(later, false)
                AND b.death IS NULL
                AND b.stop < i.time + {_micro(times.horizon_days, DAY)} THEN '{LOST}'
            END AS reason
        FROM indexed i LEFT JOIN outcome USING (patient, time)
        LEFT JOIN observed b
            ON b.patient = i.patient AND i.time >= b.start AND i.time <= b.stop
        """
    )
    return _kept(db, REASONS, times)


def by_labels(db: DuckDBPyConnection, window: Window) -> dict[str, int]:
    """Make ``cohort`` of given labels, of which those of unknown patients are left out, and those
    before anything was recorded."""
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE candidates AS
        SELECT l.patient, l.time, l.label, CASE WHEN b.start IS NULL THEN '{NO_PATIENT}'
            WHEN l.time < b.start THEN '{EARLY}' END AS reason
        FROM labels l LEFT JOIN observed b USING (patient)
        """
    )
    return _kept(db, (NO_PATIENT, EARLY), window)


def encounters_of(db: DuckDBPyConnection, partitions: bool = False) -> Encounters:
    """The cohort's rows; a patient is a cluster, and ids are ``patient@index time``.

    partitions: whether there is a relation ``partitions`` (patient, partition).
    """
    partition = "partition" if partitions else "NULL::VARCHAR"
    join = "LEFT JOIN partitions USING (patient)" if partitions else ""
    found = db.execute(
        f"""
        SELECT patient || '@' || strftime(time, '%Y-%m-%dT%H:%M:%S')
                || CASE epoch_us(time) % 1000000 WHEN 0 THEN '' ELSE strftime(time, '.%f') END
                AS encounter,
            patient::VARCHAR AS patient, time::DATE AS time, label, {partition} AS partition
        FROM cohort {join} ORDER BY row
        """
    ).to_arrow_table()
    return Encounters(
        encounter_table(
            encounter=found["encounter"].combine_chunks(),
            patient=found["patient"].combine_chunks(),
            cluster=found["patient"].combine_chunks(),
            time=found["time"].combine_chunks(),
            label=found["label"].combine_chunks(),
            partition=found["partition"].combine_chunks(),
        )
    )


def _kept(db: DuckDBPyConnection, reasons: Sequence[str], window: Window) -> dict[str, int]:
    """Number the candidates without a reason as the cohort; reason -> the others."""
    back = window.look_back_days
    since = "TIMESTAMP '-infinity'" if back is None else f"time - {_micro(back, DAY)}"
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE cohort AS
        SELECT (row_number() OVER (ORDER BY patient, time) - 1)::INTEGER AS row, patient, time,
            {since} AS since, time + {_micro(window.findings_after_hours, HOUR)} AS until,
            label::TINYINT AS label
        FROM candidates WHERE reason IS NULL
        """
    )
    rows = db.execute("SELECT reason, count(*) FROM candidates GROUP BY reason").fetchall()
    counts = {reason: int(number) for reason, number in rows}
    dropped = {reason: counts.get(reason, 0) for reason in reasons}
    if None not in counts:
        told = ", ".join(f"{number} {reason}" for reason, number in dropped.items() if number)
        raise StudyError(
            f"the cohort is empty: {told or 'no event is an index event'}; look at the index "
            "events, at the labels, and at the spans of time"
        )
    return dropped


def _micro(span: float | None, unit: int) -> str:
    """An interval in SQL."""
    return f"to_microseconds({round((span or 0.0) * unit)})"
