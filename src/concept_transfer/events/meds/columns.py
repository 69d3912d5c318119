"""Columns of Parquet files by name and type, looked at in the files' headers alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.errors import StudyError

PATIENT, TIME, TEXT, NUMBER, TRUTH = "int64", "timestamp[us]", "string", "float32", "bool"
KEY = "string or int64"
ZONE = (
    "times are those of the hospital's clock, without a zone, and none is ever shifted silently; "
    "convert the column, in polars with "
    ".dt.convert_time_zone('Europe/Berlin').dt.replace_time_zone(None)"
)


def check_columns(
    path: Path, required: Mapping[str, str], optional: Mapping[str, str] | None = None
) -> list[str]:
    """The names of a Parquet file's columns; its rows are not read.

    required, optional: column -> its type, one of this module's. Raises StudyError for a file that
    is no Parquet file, lacks a column, or has one of another type or with a time zone.
    """
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        raise StudyError(
            f"{path} cannot be read as a Parquet file; it may be of another format, or copied "
            "incompletely"
        ) from None
    missing = [name for name in required if name not in schema.names]
    if missing:
        raise StudyError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has {', '.join(schema.names)}, "
            f"and needs {_described(required)}"
        )
    for name, kind in {**(optional or {}), **required}.items():
        if name not in schema.names:
            continue
        given = schema.field(name).type
        if pa.types.is_timestamp(given) and given.tz is not None:
            raise StudyError(f"{path}: column '{name}' has the time zone {given.tz}; {ZONE}")
        if not _fits(given, kind):
            raise StudyError(
                f"{path}: column '{name}' is {given}, and should be {kind}; convert it where the "
                "dataset is made"
            )
    return list(schema.names)


def _fits(given: pa.DataType, kind: str) -> bool:
    if pa.types.is_dictionary(given):
        given = given.value_type
    types = pa.types
    if types.is_null(given):
        return True
    if kind == KEY:
        return bool(types.is_integer(given)) or _fits(given, TEXT)
    if kind == TEXT:
        return bool(types.is_string(given) or types.is_large_string(given))
    if kind == TIME:
        return bool(types.is_timestamp(given))
    if kind == NUMBER:
        return bool(types.is_floating(given) or types.is_integer(given))
    return str(given) == kind


def _described(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in columns.items())
