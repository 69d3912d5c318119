"""Ids that a table of the model has more than once: copies of a row, and rows that contradict."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from concept_transfer.events.database import count
from concept_transfer.events.omop.model import key_of, read_columns


def single(table: str) -> str:
    """The view of a table without copies of its rows; ``repeated`` are rows whose id another row
    with another content has too."""
    return f"single_{table}"


def make_single(db: DuckDBPyConnection, table: str) -> int:
    """Make the view `single` of ``cdm_<table>``; returns how many copies it leaves out.

    A copy has the id of another row, and its value in every column that is read. Of a table
    without ids nothing is known: patients may have equal events at one time.
    """
    db.execute(f"CREATE OR REPLACE TEMP VIEW {single(table)} AS {_without_ids(table)}")
    key = key_of(table)
    if key is None:
        return 0
    ids = f"ids_{table}"
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE {ids} AS SELECT {key} AS id FROM cdm_{table} "
        f"WHERE {key} IS NOT NULL GROUP BY {key} HAVING count(*) > 1"
    )
    if not count(db, f"SELECT count(*) FROM {ids}"):
        return 0
    contents = ", ".join(column for part in read_columns(table) for column in part)
    of_ids = f"FROM cdm_{table} WHERE {key} IN (SELECT id FROM {ids})"
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rows_{table} AS
        SELECT *, count(*) OVER (PARTITION BY {key}) > 1 AS repeated
        FROM (SELECT * {of_ids}
            QUALIFY row_number() OVER (PARTITION BY {contents} ORDER BY file, row) = 1)
        """
    )
    db.execute(
        f"CREATE OR REPLACE TEMP VIEW {single(table)} AS {_without_ids(table)} "
        f"WHERE {key} IS NULL OR {key} NOT IN (SELECT id FROM {ids}) "
        f"UNION ALL BY NAME SELECT * FROM rows_{table}"
    )
    return count(db, f"SELECT count(*) {of_ids}") - count(db, f"SELECT count(*) FROM rows_{table}")


def _without_ids(table: str) -> str:
    return f"SELECT *, false AS repeated FROM cdm_{table}"
