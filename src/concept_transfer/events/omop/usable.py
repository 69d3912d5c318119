"""Which rows can be used: of known persons, with dates in their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
from duckdb import DuckDBPyConnection

from concept_transfer.events.database import count
from concept_transfer.events.omop.model import VISIT, Domain
from concept_transfer.events.omop.repeated import make_single, single
from concept_transfer.events.quarantine import SCHEMA, set_aside

NO_ROW = {
    "no row of the table": "broken",
    "with a time that has a zone, and no time_zone in the config": "zoned",
}
NO_PERSON = NO_ROW | {"without a person": "person_id IS NULL", "of an unknown person": "unknown"}
PERSON = NO_ROW | {
    "without an id": "person_id IS NULL",
    "with the id of another person": "repeated",
    "without a date of birth": "birth IS NULL",
}
REPEATED = {"with the id of another row": "repeated"}
PERIOD = NO_PERSON | {
    "without both dates": "start IS NULL OR stop IS NULL",
    "ends before it starts": "stop < start",
    **REPEATED,
}
DEATH = NO_PERSON | {"without a date": "day IS NULL"}
EVENT = NO_PERSON | {
    "without a date": "day IS NULL",
    "at a time of another day than its date": "time::DATE <> day",
    "ends before it starts": "ended < day",
    "before birth": "day < earliest",
    **REPEATED,
}

DAY_END = "INTERVAL 1 DAY - INTERVAL 1 MICROSECOND"
# The moment from which something is known: of what has no time of day, the end of its day.
KNOWN = f"""CASE WHEN time IS NULL OR time = day::TIMESTAMP THEN day::TIMESTAMP + {DAY_END}
    ELSE time END"""


def usable(domain: Domain) -> str:
    """The view of the usable rows of a table of events: patient, concept, source, day DATE, time
    TIMESTAMP (null where unknown) and, where the model has them, visit_occurrence_id, care_site_id,
    answer, value, unit_id, unit_source, low, high."""
    return f"usable_{domain.table}"


@dataclass(frozen=True)
class Read:
    """What became of the rows of the tables.

    set_aside: those that cannot be used (`concept_transfer.events.quarantine.SCHEMA`); rows: how
    many there were, copies: table -> how many of these are copies of others; days: of how many
    events the day alone is known.
    """

    set_aside: pa.Table
    rows: int
    copies: dict[str, int]
    days: int


def make_usable(
    db: DuckDBPyConnection, domains: Iterable[Domain], deaths: bool, most: float
) -> Read:
    """Make ``persons`` (patient, birth, earliest DATE, gender), ``births``, ``deaths``,
    ``observed`` and the views `usable`.

    A birth without a day is the first of its month, and without a month the 15th of June, as the
    model's conventions say; ``earliest`` is the first day that it can be. Of rows that are copies
    of one another one is used. Raises StudyError where more than the share `most` of a table is set
    aside.
    """
    domains = list(domains)
    named = ["person", "observation_period", *(domain.table for domain in domains)]
    named += ["death"] if deaths else []
    copies = {table: make_single(db, table) for table in named}
    found = [_persons(db, most), _periods(db, deaths, most)]
    days = 0
    for domain in domains:
        found.append(_events(db, domain, most))
        if domain is not VISIT:
            alone = "time IS NULL OR time = day::TIMESTAMP"
            days += count(db, f"SELECT count(*) FROM {usable(domain)} WHERE {alone}")
    tables, totals = zip(*found, strict=True)
    set_aside = pa.concat_tables([SCHEMA.empty_table(), *tables])
    copies = {table: number for table, number in copies.items() if number}
    return Read(set_aside, sum(totals) + sum(copies.values()), copies, days)


def _persons(db: DuckDBPyConnection, most: float) -> tuple[pa.Table, int]:
    db.execute(
        f"""
        CREATE TEMP VIEW checked_person AS
        SELECT *,
            coalesce(birth_datetime, TRY(make_date(year_of_birth, coalesce(month_of_birth, 6),
                CASE WHEN month_of_birth IS NULL THEN 15 ELSE coalesce(day_of_birth, 1) END
            ))::TIMESTAMP) AS birth,
            coalesce(birth_datetime::DATE, TRY(make_date(year_of_birth, coalesce(month_of_birth, 1),
                CASE WHEN month_of_birth IS NULL THEN 1 ELSE coalesce(day_of_birth, 1) END
            ))) AS earliest
        FROM {single("person")}
        """
    )
    db.execute(
        "CREATE TEMP TABLE persons AS SELECT person_id AS patient, gender_concept_id AS gender, "
        f"birth, earliest FROM checked_person WHERE {_none(PERSON)}"
    )
    db.execute("CREATE TEMP VIEW births AS SELECT patient, birth AS time FROM persons")
    return set_aside(db, "checked_person", PERSON, most)


def _periods(db: DuckDBPyConnection, deaths: bool, most: float) -> tuple[pa.Table, int]:
    """Periods of a patient that meet or overlap are one; a period lasts until its last day ends."""
    found, total = SCHEMA.empty_table(), 0
    db.execute("CREATE TEMP TABLE deaths (patient BIGINT, time TIMESTAMP)")
    if deaths:
        db.execute(_checked("death", "death_date AS day, death_datetime AS time"))
        db.execute(
            f"INSERT INTO deaths SELECT person_id, min({KNOWN}) FROM checked_death "
            f"WHERE {_none(DEATH)} GROUP BY person_id"
        )
        found, total = set_aside(db, "checked_death", DEATH, most)
    db.execute(
        _checked(
            "observation_period",
            "observation_period_start_date AS start, observation_period_end_date AS stop",
        )
    )
    db.execute(
        f"""
        CREATE TEMP TABLE observed AS
        WITH periods AS (
            SELECT person_id AS patient, start, stop,
                max(stop) OVER (PARTITION BY person_id ORDER BY start, stop
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM checked_observation_period WHERE {_none(PERIOD)}
        ), numbered AS (
            SELECT *, count(*) FILTER (WHERE before IS NULL OR start > before + 1)
                OVER (PARTITION BY patient ORDER BY start, stop ROWS UNBOUNDED PRECEDING) AS island
            FROM periods
        ), merged AS (
            SELECT patient, min(start)::TIMESTAMP AS start,
                max(stop)::TIMESTAMP + {DAY_END} AS stop
            FROM numbered GROUP BY patient, island
        )
        SELECT m.*, d.time AS death FROM merged m LEFT JOIN deaths d USING (patient)
        """
    )
    periods, number = set_aside(db, "checked_observation_period", PERIOD, most)
    return pa.concat_tables([found, periods]), total + number


def _events(db: DuckDBPyConnection, domain: Domain, most: float) -> tuple[pa.Table, int]:
    columns = [
        f"{domain.concept} AS concept",
        f"{domain.source} AS source",
        f"{domain.day} AS day",
        f"{domain.time} AS time",
        f"{domain.end or 'NULL::DATE'} AS ended",
        "visit_occurrence_id",
    ]
    if domain is VISIT:
        columns.append("care_site_id")
    if domain.values:
        columns += ["value_as_concept_id AS answer", "value_as_number AS value"]
        columns += ["unit_concept_id AS unit_id", "unit_source_value AS unit_source"]
        columns += ["range_low AS low", "range_high AS high"]
    db.execute(_checked(domain.table, ", ".join(columns)))
    db.execute(
        f"CREATE TEMP VIEW {usable(domain)} AS SELECT person_id AS patient, * EXCLUDE (person_id, "
        "unknown, earliest, ended, file, row, broken, zoned, repeated) "
        f"FROM checked_{domain.table} WHERE {_none(EVENT)}"
    )
    return set_aside(db, f"checked_{domain.table}", EVENT, most)


def _checked(table: str, columns: str) -> str:
    """A view of a table with what is known of the person of each row."""
    return f"""
        CREATE TEMP VIEW checked_{table} AS
        SELECT t.*, p.patient IS NULL AS unknown, p.earliest
        FROM (SELECT file, row, broken, zoned, repeated, person_id, {columns}
            FROM {single(table)}) t
        LEFT JOIN persons p ON p.patient = t.person_id
        """


def _none(problems: dict[str, str]) -> str:
    """Condition that a row has no problem."""
    return " AND ".join(f"NOT coalesce({condition}, false)" for condition in problems.values())
