"""Tidy tables in Parquet files, checked against their schema when written and when read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.errors import StudyError


def columns(kind: pa.DataType, names: Sequence[str]) -> list[tuple[str, pa.DataType]]:
    """Columns of one type, for a schema."""
    return [(name, kind) for name in names]


def table_of(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """The rows as a table; what a row lacks is null.

    Raises ValueError where a row has a column that the schema lacks.
    """
    rows = list(rows)
    unknown = {name for row in rows for name in row} - set(schema.names)
    if unknown:
        raise ValueError(f"no column of {schema.names}: {', '.join(sorted(unknown))}")
    return pa.Table.from_pylist(rows, schema)


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write `table_of` the rows."""
    pq.write_table(table_of(rows, schema), path)


def read_table(path: str | Path, schema: pa.Schema) -> pa.Table:
    """The columns of the schema from a Parquet file, in its order and with its types.

    Raises StudyError where the file lacks a column, or has it in a type that does not fit.
    """
    file = pq.ParquetFile(path)
    for field in schema:
        if field.name not in file.schema_arrow.names:
            raise StudyError(
                f"{path} lacks the column '{field.name}'; it should have "
                f"{', '.join(schema.names)}. Remove it to have it made again."
            )
    table = file.read(schema.names).select(schema.names)
    try:
        return table.cast(schema)
    except pa.ArrowException as error:
        types = ", ".join(f"{field.name} ({field.type})" for field in schema)
        raise StudyError(
            f"{path} has a column of another type ({error}); it should have {types}."
        ) from None
