"""Tables of encounters to be predicted, some rows at a time: CSV, Parquet, Arrow and XLSX."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from concept_transfer.errors import StudyError, choices
from concept_transfer.progress import Progress
from concept_transfer.sites.csv_files import count_rows, csv_batches
from concept_transfer.sites.files import FORMATS as OF_SITES
from concept_transfer.sites.files import header, read_table

ARROW = (".arrow", ".feather", ".ipc")
FORMATS = (*OF_SITES, *ARROW)


def column_names(path: Path) -> list[str]:
    """Names of a table's columns; reads no row.

    Raises StudyError where the file is missing, empty or of another format, and for repeated names.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise StudyError(f"{path}: encounters are in files that end in {', '.join(FORMATS)}")
    names = _arrow_schema(path).names if ending in ARROW else header(path)
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise StudyError(f"{path}: column(s) {choices(repeated)} occur more than once")
    return names


def row_count(path: Path) -> int:
    """Rows below the header; of a CSV file with line ends in cells, at most so many."""
    ending = path.suffix.lower()
    if ending in ARROW:
        return sum(batch.num_rows for batch in _arrow_batches(path))
    if ending == ".parquet":
        return int(pq.read_metadata(path).num_rows)
    return count_rows(path) if ending == ".csv" else 0


def batches(path: Path, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """The named columns, about `rows` rows at a time, in the file's order.

    Text comes dictionary-encoded where the format allows it. Raises StudyError that names the file
    and, of a CSV file, the line that is wrong.
    """
    with _complete(path):
        progress = Progress("rows", row_count(path), at_most=True)
    for table in _tables(path, columns, rows):
        for column in table.column_names:
            _check_type(path, column, table.schema.field(column).type)
        for start in range(0, table.num_rows, rows):
            yield table.slice(start, rows)
        progress.advance(table.num_rows)


def _tables(path: Path, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    with _complete(path):
        yield from _tables_of_format(path, columns, rows)


def _tables_of_format(path: Path, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    ending = path.suffix.lower()
    if ending == ".csv":
        yield from csv_batches(path, columns)
    elif ending == ".parquet":
        schema = pq.read_schema(path)
        texts = [name for name in columns if pa.types.is_string(schema.field(name).type)]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            for batch in file.iter_batches(rows, columns=list(columns)):
                yield pa.Table.from_batches([batch])
    elif ending in ARROW:
        for batch in _arrow_batches(path):
            yield pa.Table.from_batches([batch]).select(list(columns))
    else:
        yield read_table(path, columns)


def _arrow_schema(path: Path) -> pa.Schema:
    if not path.is_file():
        raise StudyError(f"{path} does not exist")
    with _complete(path):
        return next(_opened(path)).schema


@contextlib.contextmanager
def _complete(path: Path) -> Iterator[None]:
    """What Arrow says of a damaged file becomes a StudyError."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise StudyError(
            f"{path} cannot be read as {path.suffix[1:].upper()} ({type(error).__name__}); check "
            "that the file is complete and its ending says what it is"
        ) from None


def _opened(path: Path) -> Iterator[pa.RecordBatchReader | pa.ipc.RecordBatchFileReader]:
    with pa.memory_map(str(path)) as source:
        try:
            yield pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            source.seek(0)
            yield pa.ipc.open_stream(source)


def _arrow_batches(path: Path) -> Iterator[pa.RecordBatch]:
    for reader in _opened(path):
        if isinstance(reader, pa.ipc.RecordBatchFileReader):
            yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            yield from reader


def _check_type(path: Path, column: str, kind: pa.DataType) -> None:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_nested(value) or pa.types.is_binary(value) or pa.types.is_large_binary(value):
        raise StudyError(
            f"{path}, column '{column}' holds values of the type {kind}; a cell is one text, "
            "number, date or truth value"
        )
