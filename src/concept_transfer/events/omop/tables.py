"""Where the tables of a site lie, and views of them whose columns have the model's types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.events.database import reading
from concept_transfer.events.omop.model import VOCABULARY, read_columns, type_of

ZONED = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True)
class Table:
    """A table as DuckDB finds it.

    place: what errors call it; relation: what stands after FROM; columns: name in lower case ->
    type; file, row: what a row's file and number (from 1) are in SQL; copied: whether it is read
    once, into a file of the connection's own, which all queries read then; malformed: a query of
    the lines (file, row) that were no rows when it was read.
    """

    name: str
    place: str
    relation: str
    columns: Mapping[str, str]
    file: str
    row: str
    copied: bool = False
    malformed: str = ""


def quoted(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def described(db: DuckDBPyConnection, relation: str, place: str) -> dict[str, str]:
    """Column (in lower case) -> type of a relation."""
    with reading(place, "write the file again, or take it out"):
        rows = db.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {str(name).lower(): str(kind) for name, kind, *_ in rows}


def make_views(
    db: DuckDBPyConnection, tables: Mapping[str, Table], names: Iterable[str], time_zone: str | None
) -> None:
    """Make a view ``cdm_<table>`` of each named table, with every column that `read_columns` names
    (null where the table lacks it), ``file`` and ``row``."""
    for name in names:
        table = tables[name]
        query = f"SELECT {_columns(table, time_zone)} FROM {table.relation}"
        if table.copied and name not in VOCABULARY:
            query = f"SELECT * FROM {_copy(db, table, query)}"
        db.execute(f"CREATE TEMP VIEW cdm_{name} AS {query}")


def check_columns(table: Table, time_zone: str | None) -> None:
    """Raise StudyError for a column that a table lacks, and for times of an unknown zone."""
    required, optional = read_columns(table.name)
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise StudyError(
            f"{table.place} lacks the column(s) {', '.join(missing)} of the OMOP table "
            f"{table.name}; it has {', '.join(sorted(table.columns))} (case is ignored)"
        )
    zoned = [
        column
        for column in (*required, *optional)
        if table.columns.get(column) == ZONED and type_of(column) != "VARCHAR"
    ]
    if zoned and time_zone is None:
        raise StudyError(
            f"{table.place}: the times of {', '.join(zoned)} have a time zone, and OMOP means the "
            "hospital's local time; say which that is (time_zone: America/New_York)"
        )


def _columns(table: Table, time_zone: str | None) -> str:
    columns = [f"{table.file} AS file", f"{table.row} AS row"]
    for part in read_columns(table.name):
        columns += [f"{_typed(table, column, time_zone)} AS {column}" for column in part]
    return ", ".join(columns)


def _typed(table: Table, column: str, time_zone: str | None) -> str:
    wanted, there = type_of(column), table.columns.get(column)
    if there is None:
        return f"NULL::{wanted}"
    if there == ZONED and time_zone is not None:
        return f'("{column}" AT TIME ZONE {quoted(time_zone)})::{wanted}'
    return f'"{column}"' if there == wanted else f'TRY_CAST("{column}" AS {wanted})'


def _copy(db: DuckDBPyConnection, table: Table, query: str) -> str:
    """Write the rows of a query beside what the connection spills, and give the relation."""
    folder = db.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]
    file = quoted(str(Path(folder) / f"{table.name}.parquet"))
    with reading(table.place, "see that it stays within reach, and start again"):
        db.execute(f"COPY ({query}) TO {file} (FORMAT parquet)")
    lines = f" UNION ALL BY NAME {table.malformed}" if table.malformed else ""
    return f"(SELECT * FROM read_parquet({file}){lines})"
