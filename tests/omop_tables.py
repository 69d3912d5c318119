"""Small OMOP tables of our own, written as files and databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from concept_transfer.events.omop.databases import extension_file

EVENT = "person_id BIGINT, visit_occurrence_id BIGINT"
SCHEMA = {
    "cdm_source": "cdm_source_name VARCHAR, cdm_version VARCHAR",
    "person": "person_id BIGINT, gender_concept_id INTEGER, year_of_birth INTEGER, "
    "month_of_birth INTEGER, day_of_birth INTEGER, birth_datetime TIMESTAMP",
    "death": "person_id BIGINT, death_date DATE, death_datetime TIMESTAMP",
    "observation_period": "observation_period_id BIGINT, person_id BIGINT, "
    "observation_period_start_date DATE, observation_period_end_date DATE",
    "visit_occurrence": f"{EVENT}, visit_concept_id INTEGER, visit_start_date DATE, "
    "visit_start_datetime TIMESTAMP, visit_end_date DATE, care_site_id BIGINT, "
    "visit_source_value VARCHAR",
    "condition_occurrence": f"condition_occurrence_id BIGINT, {EVENT}, "
    "condition_concept_id INTEGER, condition_start_date DATE, condition_start_datetime TIMESTAMP, "
    "condition_end_date DATE, condition_source_value VARCHAR",
    "observation": f"observation_id BIGINT, {EVENT}, observation_concept_id INTEGER, "
    "observation_date DATE, observation_datetime TIMESTAMP, value_as_number DOUBLE, "
    "value_as_concept_id INTEGER, observation_source_value VARCHAR",
    "measurement": f"measurement_id BIGINT, {EVENT}, measurement_concept_id INTEGER, "
    "measurement_date DATE, measurement_datetime TIMESTAMP, value_as_number DOUBLE, "
    "value_as_concept_id INTEGER, unit_concept_id INTEGER, unit_source_value VARCHAR, "
    "range_low DOUBLE, range_high DOUBLE, measurement_source_value VARCHAR",
    "drug_exposure": f"drug_exposure_id BIGINT, {EVENT}, drug_concept_id INTEGER, "
    "drug_exposure_start_date DATE, drug_exposure_start_datetime TIMESTAMP, "
    "drug_exposure_end_date DATE, drug_source_value VARCHAR",
    "procedure_occurrence": f"procedure_occurrence_id BIGINT, {EVENT}, "
    "procedure_concept_id INTEGER, procedure_date DATE, procedure_datetime TIMESTAMP, "
    "procedure_source_value VARCHAR",
    "concept": "concept_id INTEGER, concept_name VARCHAR, domain_id VARCHAR, "
    "standard_concept VARCHAR",
    "concept_ancestor": "ancestor_concept_id INTEGER, descendant_concept_id INTEGER, "
    "min_levels_of_separation INTEGER, max_levels_of_separation INTEGER",
    "concept_relationship": "concept_id_1 INTEGER, concept_id_2 INTEGER, relationship_id VARCHAR",
}
VOCABULARY = ("concept", "concept_ancestor", "concept_relationship")
Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]


def write(tables: Tables, target: Path | str, kind: str) -> None:
    """Write tables; kind: parquet, parts (two a table), csv, upper (CSV with tabs, in upper case),
    duckdb (target is the file) or postgresql (target is the URL; schemas cdm and vocabulary)."""
    with duckdb.connect(":memory:") as db:
        for name, rows in tables.items():
            db.execute(f"CREATE TABLE {name} ({SCHEMA[name]})")
            columns = dict.fromkeys(column for row in rows for column in row)
            if columns:
                listed = {column: [row.get(column) for row in rows] for column in columns}
                db.register("given", pa.table(listed))
                db.execute(f"INSERT INTO {name} BY NAME SELECT * FROM given")
        if kind == "duckdb":
            db.execute(f"ATTACH '{target}' AS there")
            for name in tables:
                db.execute(f"CREATE TABLE there.main.{name} AS FROM memory.main.{name}")
        elif kind == "postgresql":
            db.execute(f"LOAD '{extension_file()}'")
            db.execute(f"ATTACH '{target}' AS there (TYPE postgres)")
            for schema in ("cdm", "vocabulary"):
                db.execute(f"CREATE SCHEMA there.{schema}")
            for name in tables:
                schema = "vocabulary" if name in VOCABULARY else "cdm"
                db.execute(f"CREATE TABLE there.{schema}.{name} AS FROM memory.main.{name}")
        else:
            _files(db, tables, Path(target), kind)


def _files(db: duckdb.DuckDBPyConnection, names: Iterable[str], folder: Path, kind: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        if kind == "parquet":
            db.execute(f"COPY {name} TO '{folder / name}.parquet'")
        elif kind == "csv":
            db.execute(f"COPY {name} TO '{folder / name}.csv' (HEADER)")
        elif kind == "upper":
            file = folder / f"{name.upper()}.CSV"
            columns = db.execute(f"DESCRIBE {name}").fetchall()
            upper = ", ".join(f'{column} AS "{column.upper()}"' for column, *_ in columns)
            db.execute(f"COPY (SELECT {upper} FROM {name}) TO '{file}' (HEADER, DELIM '\t')")
        else:
            (folder / name).mkdir()
            half = db.execute(f"SELECT (count(*) + 1) // 2 FROM {name}").fetchall()[0][0]
            for part, limit in enumerate((f"LIMIT {half}", f"OFFSET {half}")):
                file = folder / name / f"part-{part}.parquet"
                db.execute(f"COPY (SELECT * FROM {name} {limit}) TO '{file}'")
