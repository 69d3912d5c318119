"""Where the tables of a site lie, and views of them whose columns have the model's types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.events.database import quoted, reading
from concept_transfer.events.omop.model import VOCABULARY, read_columns, type_of
from concept_transfer.events.omop.text_files import TextFile, check_rows, lines_below_header

ZONED = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True)
class Table:
    """A table as DuckDB finds it.

    place: what errors call it; relation: what stands after FROM; columns: name in lower case ->
    type; file, row: what a row's file and number (from 1) are in SQL; copied: whether it is read
    once, into a file of the connection's own, which all queries read then; malformed: a query of
    the lines (file, row) that were no rows when it was read; texts: file -> what it is read from,
    where that is text.
    """

    name: str
    place: str
    relation: str
    columns: Mapping[str, str]
    file: str
    row: str
    copied: bool = False
    malformed: str = ""
    texts: Mapping[str, TextFile] = field(default_factory=dict)


def described(db: DuckDBPyConnection, relation: str, place: str) -> dict[str, str]:
    """Column (in lower case) -> type of a relation."""
    with reading(place, "write the file again, or take it out"):
        rows = db.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {str(name).lower(): str(kind) for name, kind, *_ in rows}


def make_views(
    db: DuckDBPyConnection, tables: Mapping[str, Table], names: Iterable[str], time_zone: str | None
) -> None:
    """Make a view ``cdm_<table>`` of each named table, with every column that `read_columns` names
    (null where the table lacks it), ``file`` and ``row``, and whether the row is none (``broken``)
    or has a time whose zone nobody knows (``zoned``)."""
    for name in names:
        table = tables[name]
        query = f"SELECT {_columns(table, time_zone)} FROM {table.relation}"
        if table.texts or (table.copied and name not in VOCABULARY):
            query = f"SELECT * FROM {_copy(db, table, query)}"
        db.execute(f"CREATE TEMP VIEW cdm_{name} AS {query}")


def check_columns(table: Table, time_zone: str | None) -> None:
    """Raise StudyError for a column that a table lacks, and for times of an unknown zone."""
    required, _ = read_columns(table.name)
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise StudyError(
            f"{table.place} lacks the column(s) {', '.join(missing)} of the OMOP table "
            f"{table.name}; it has {', '.join(sorted(table.columns))} (case is ignored)"
        )
    zoned = _zoned_columns(table)
    if zoned and time_zone is None:
        raise StudyError(
            f"{table.place}: the times of {', '.join(zoned)} have a time zone, and OMOP means the "
            "hospital's local time; say which that is (time_zone: America/New_York)"
        )


def _columns(table: Table, time_zone: str | None) -> str:
    columns = [f"{table.file} AS file", f"{table.row} AS row", "false AS broken"]
    columns.append(f"{_zoned(table) if time_zone is None else 'false'} AS zoned")
    for part in read_columns(table.name):
        columns += [f"{_typed(table, column, time_zone)} AS {column}" for column in part]
    return ", ".join(columns)


def _typed(table: Table, column: str, time_zone: str | None) -> str:
    wanted, there = type_of(column), table.columns.get(column)
    if there is None:
        return f"NULL::{wanted}"
    if there == ZONED and time_zone is not None:
        return f'("{column}" AT TIME ZONE {quoted(time_zone)})::{wanted}'
    if column in _texts_of_times(table) and time_zone is not None:
        local = f'TRY_CAST("{column}" AS {ZONED}) AT TIME ZONE {quoted(time_zone)}'
        return (
            f'CASE WHEN {_has_zone(column)} THEN {local} ELSE TRY_CAST("{column}" AS {wanted}) END'
        )
    return f'"{column}"' if there == wanted else f'TRY_CAST("{column}" AS {wanted})'


def may_have_zone(table: Table) -> bool:
    """Whether times of a table have a zone, or are text that may have one."""
    return bool(_zoned_columns(table) or _texts_of_times(table))


def _zoned_columns(table: Table) -> list[str]:
    read = (column for part in read_columns(table.name) for column in part)
    return [c for c in read if table.columns.get(c) == ZONED and type_of(c) != "VARCHAR"]


def _texts_of_times(table: Table) -> list[str]:
    read = (column for part in read_columns(table.name) for column in part)
    return [c for c in read if table.columns.get(c) == "VARCHAR" and type_of(c) == "TIMESTAMP"]


def _zoned(table: Table) -> str:
    """Whether a time of a row is text with a zone, in SQL."""
    zoned = " OR ".join(
        f"coalesce({_has_zone(column)}, false)" for column in _texts_of_times(table)
    )
    return zoned or "false"


def _has_zone(column: str) -> str:
    return f"""regexp_matches("{column}", ':[0-9.]+ *(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$', 'i')"""


def _copy(db: DuckDBPyConnection, table: Table, query: str) -> str:
    """Write the rows of a query beside what the connection spills, and give the relation."""
    folder = db.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]
    copy = quoted(Path(folder) / f"{table.name}.parquet")
    lines = {file: lines_below_header(text.path) for file, text in table.texts.items()}
    with reading(table.place, "see that it stays within reach, and start again"):
        db.execute(f"COPY ({query}) TO {copy} (FORMAT parquet)")
    if not lines:
        return f"read_parquet({copy})"
    rows = (
        f"(SELECT * FROM read_parquet({copy}) UNION ALL BY NAME "
        f"SELECT *, true AS broken FROM ({table.malformed}))"
    )
    read = dict(db.execute(f"SELECT file, count(*) FROM {rows} GROUP BY file").fetchall())
    for file, text in table.texts.items():
        check_rows(text, read.get(file, 0), lines[file])
    return rows
