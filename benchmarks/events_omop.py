"""Time and memory from OMOP tables to encounters: a million encounters of thirty million events.

``python -m benchmarks.events_omop``
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.events import ingested
from benchmarks.measure import in_child, table
from concept_transfer.concepts.vocabulary import Vocabulary

PATIENTS, CODES = 1_000_000, 400
EVENTS = {"condition_occurrence": 15, "measurement": 8, "drug_exposure": 5, "observation": 2}
INDEX, OUTCOME, PARENT = 9203, 999, 1000
TEXT = """## OMOP tables

{patients:,} patients with an emergency visit and {events} events each ({codes} concepts of every
kind) in Parquet, a file a table, become encounters with findings: the outcome is a class of
concepts within 30 days, codes take the meaning of their nearest ancestor, and five concepts are
numbers. Seconds of the clock and of the processors, on as many cores as there are.

{table}"""
COLUMNS = {
    "condition_occurrence": ("condition", "condition_start_", ""),
    "drug_exposure": ("drug", "drug_exposure_start_", ""),
    "observation": ("observation", "observation_", ", NULL::INTEGER AS value_as_concept_id"),
    "measurement": (
        "measurement",
        "measurement_",
        ", NULL::INTEGER AS value_as_concept_id, random() * 100 AS value_as_number, "
        "8541 AS unit_concept_id, 60 AS range_low, 90 AS range_high",
    ),
}


def write_omop(folder: Path, patients: int) -> None:
    """A folder in the layout of the OMOP Common Data Model."""
    with duckdb.connect(config={"memory_limit": "1500MB", "temp_directory": str(folder)}) as db:
        for name, query in _tables(patients).items():
            db.execute(f"COPY ({query}) TO '{folder}/{name}.parquet' (FORMAT parquet)")


def _tables(patients: int) -> dict[str, str]:
    day = "DATE '2020-01-01' + (p % 365)::INTEGER"
    tables = {
        "person": "SELECT p AS person_id, 8507 + 25 * (p % 2) AS gender_concept_id, "
        f"1930 + p % 80 AS year_of_birth FROM range({patients}) t(p)",
        "observation_period": "SELECT p AS person_id, DATE '2018-01-01' AS "
        "observation_period_start_date, DATE '2021-12-31' AS observation_period_end_date "
        f"FROM range({patients}) t(p)",
        "visit_occurrence": f"SELECT p AS visit_occurrence_id, p AS person_id, {INDEX} AS "
        f"visit_concept_id, {day} AS visit_start_date, ({day})::TIMESTAMP + INTERVAL 12 HOUR AS "
        f"visit_start_datetime, {day} AS visit_end_date FROM range({patients}) t(p)",
        "concept": "SELECT k AS concept_id, 'Concept ' || k AS concept_name, 'S' AS "
        f"standard_concept FROM (SELECT unnest([8507, 8532, {INDEX}, {OUTCOME}, {PARENT}]) AS k "
        f"UNION ALL SELECT k FROM range(1, {CODES + 1}) t(k))",
        "concept_ancestor": f"SELECT {PARENT} AS ancestor_concept_id, {OUTCOME} AS "
        "descendant_concept_id, 1 AS min_levels_of_separation UNION ALL "
        f"SELECT k - k % 2, k, k % 2 FROM range(2, {CODES + 1}) t(k)",
    }
    for table_name, events in EVENTS.items():
        stem, when, more = COLUMNS[table_name]
        tables[table_name] = f"""
            SELECT p * {events} + i AS {table_name}_id, p AS person_id, CASE
                WHEN i = 0 AND p % 10 = 0 AND '{stem}' = 'condition' THEN {OUTCOME}
                ELSE 1 + (random() ** 3 * {CODES - 1})::INTEGER END AS {stem}_concept_id,
                CASE WHEN i = 0 AND p % 10 = 0 THEN {day} + 19 ELSE d END AS {when}date,
                CASE WHEN i = 0 AND p % 10 = 0 THEN ({day} + 19)::TIMESTAMP
                    ELSE d + to_seconds(p % 86400) END AS {when}datetime,
                'code' AS {stem}_source_value{more}
            FROM (SELECT p, i, DATE '2018-01-01' + (random() * 1000)::INTEGER AS d
                FROM range({patients}) t(p), range({events}) e(i))
            """
    return tables


def vocabulary() -> Vocabulary:
    """A token for 160 concepts and the sexes, four bins for five measured ones and for the age."""
    names = [str(k) for k in range(12, 332, 2)] + ["8507", "8532"]
    rows = [(name, name, "finding", "present", name, "") for name in names]
    for name in [str(k) for k in range(2, 12, 2)] + ["age"]:
        for low in ("-inf", "25", "50", "75"):
            rows.append((name, name, "measurement", f"from {low}", f"{name} {low}", low))
    return Vocabulary(*map(tuple, zip(*rows, strict=True)))


def measured(folder: str) -> dict[str, float]:
    """Reads the tables as a study does, in this process."""
    from concept_transfer.sites.omop_site import OmopSite

    section = {
        "adapter": "omop",
        "path": folder,
        "concept_sets": {"outcome": {"concepts": [PARENT]}},
        "cohort": {"index": {"visits": [INDEX]}, "outcome": "outcome", "horizon_days": 30},
        "domains": ["condition", "observation", "measurement", "drug", "person"],
        "descendants": True,
        "age": "age",
    }
    return ingested(OmopSite.model_validate(section), vocabulary(), Path(folder))


def report(patients: int = PATIENTS) -> str:
    """The section of docs/performance.md."""
    with tempfile.TemporaryDirectory() as folder:
        write_omop(Path(folder), patients)
        found = in_child("events_omop", folder)
    columns = ["adapter", "encounters", "findings", "s read", "s processors", "s write", "MB peak"]
    shown = table(columns, [["omop", *found.values()]])
    return TEXT.format(patients=patients, events=sum(EVENTS.values()), codes=CODES, table=shown)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].isdigit():
        print(json.dumps(measured(sys.argv[1])))
    else:
        print(report(*map(int, sys.argv[1:])))
