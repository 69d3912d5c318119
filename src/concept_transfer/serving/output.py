"""The file of predictions: CSV, Parquet or Arrow; written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.ipc
import pyarrow.parquet as pq

from concept_transfer.errors import StudyError
from concept_transfer.serving.files import ARROW

FORMATS = (".csv", ".parquet", *ARROW)


def check_output(path: Path, force: bool, encounters: Path | None) -> None:
    """Refuse a file that cannot or may not be written (StudyError), that of the encounters too."""
    if path.suffix.lower() not in FORMATS:
        raise StudyError(f"{path}: files of predictions end in {', '.join(FORMATS)}")
    if encounters and path.exists() and encounters.exists() and path.samefile(encounters):
        raise StudyError(f"{path} is the file of encounters; give --out another name")
    if path.exists() and not force:
        raise StudyError(f"{path} is there already; --force replaces it")
    if not path.parent.is_dir():
        raise StudyError(f"the folder {path.parent} does not exist; make it, or choose another")


@contextlib.contextmanager
def whole_file(path: Path, schema: pa.Schema) -> Iterator[Any]:
    """A writer of tables with this schema; the file appears when all is written.

    It holds a row a patient's visit, so it is for its user alone (rights 0600).
    """
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with _writer(partial, path.suffix.lower(), schema) as writer:
            yield writer
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _writer(path: Path, ending: str, schema: pa.Schema) -> Any:
    if ending == ".csv":
        return pa_csv.CSVWriter(path, schema)
    if ending == ".parquet":
        return pq.ParquetWriter(path, schema, compression="zstd")
    return pa.ipc.new_file(str(path), schema)
