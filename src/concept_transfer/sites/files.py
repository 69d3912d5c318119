"""Wide tables on disk (CSV, Parquet, XLSX) as columns of text, read without a type guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.sites.csv_files import csv_header, read_csv

FORMATS = (".csv", ".parquet", ".xlsx")
_ROWS_A_BATCH = 2**20
_NO_TEXT = (
    pa.types.is_nested,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_binary_view,
)


@dataclass(frozen=True)
class TextColumn:
    """A column of n cells: cell i is values[codes[i]]; an empty or null cell is ''."""

    values: list[str]
    codes: NDArray[np.int32]

    def texts(self) -> NDArray[np.object_]:
        """The cells themselves, object [n]."""
        return np.array([*self.values, ""], dtype=object)[self.codes]

    def where(self, wanted: Sequence[str]) -> NDArray[np.int64]:
        """Rows (from 0) whose cell is one of the wanted values."""
        hit = np.isin(np.array(self.values, dtype=object), np.array(wanted, dtype=object))
        return np.flatnonzero(hit[self.codes]) if len(hit) else np.zeros(0, np.int64)


def header(path: Path) -> list[str]:
    """Names of a table's columns that have one; reads no row. Raises StudyError."""
    if path.suffix.lower() not in FORMATS:
        raise StudyError(f"{path}: files of a tabular site end in {', '.join(FORMATS)}")
    if not path.is_file():
        raise StudyError(f"{path} does not exist; paths begin in the folder where you work")
    if not path.stat().st_size:
        raise StudyError(f"{path} is empty; a table starts with a line of column names")
    try:
        names = _READ_HEADER[path.suffix.lower()](path)
    except Exception as error:  # every library has its own for a file that is not its format
        raise StudyError(
            f"{path} cannot be read as {path.suffix[1:].upper()} ({type(error).__name__}); check "
            "that the file is complete and its ending says what it is"
        ) from None
    return [name for name in names if name]


def check_types(path: Path, findings: Sequence[str], others: Sequence[str]) -> None:
    """Refuse columns of a Parquet file that no cell text stands for (StudyError); reads no row.

    Lists and bytes nowhere, dates and times not in the columns of findings.
    """
    if path.suffix.lower() != ".parquet":
        return
    schema = pq.read_schema(path)
    for name in [*findings, *others]:
        kind = schema.field(name).type
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        if any(check(value) for check in _NO_TEXT):
            raise StudyError(
                f"{path}, column '{name}' holds values of the type {kind}; a cell is one text, "
                "number, date or truth value"
            )
        if pa.types.is_temporal(value) and name in findings:
            raise StudyError(
                f"{path}, column '{name}' holds dates or times ({kind}), but is read as a finding; "
                "list it in ignore_columns, or write the finding's state there"
            )


def count_nulls(path: Path, column: str) -> int:
    """Rows whose cell is null, as far as a Parquet file's statistics say so; reads no row."""
    if path.suffix.lower() != ".parquet":
        return 0
    groups = pq.read_metadata(path)
    chunks = [
        groups.row_group(i).column(j)
        for i in range(groups.num_row_groups)
        for j in range(groups.num_columns)
    ]
    known = [chunk.statistics for chunk in chunks if chunk.path_in_schema == column]
    return sum(statistics.null_count or 0 for statistics in known if statistics is not None)


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """The named columns of a table; errors name file and row, never a cell's content."""
    return _READ_TABLE[path.suffix.lower()](path, columns)


def read_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The named columns of a table, some of its rows at a time."""
    if path.suffix.lower() == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(_ROWS_A_BATCH, columns=list(columns)):
            yield pa.Table.from_batches([batch])
    else:
        table = read_table(path, columns)
        for start in range(0, table.num_rows, _ROWS_A_BATCH):
            yield table.slice(start, _ROWS_A_BATCH)


def text_column(column: pa.ChunkedArray | pa.Array) -> TextColumn:
    """A column as text; surrounding blanks are cut.

    Integral numbers read alike whether a file stores 1, 1.0 or '1'.
    """
    coded = dictionary_encoded(column)
    codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)
    values = coded.dictionary
    if pa.types.is_string(values.type):
        trimmed = pc.utf8_trim_whitespace(pc.fill_null(values, ""))
        return _distinct(pa.concat_arrays([trimmed, pa.array([""])]), codes)
    texts = [_as_text(value).strip() for value in [*values.to_pylist(), None]]
    return _distinct(pa.array(texts, pa.string()), codes)


def dictionary_encoded(column: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    """A column as one array of its distinct values and a code a cell (null for a null cell)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _parquet_header(path: Path) -> list[str]:
    names = pq.read_schema(path).names
    return [name for name in names if not name.startswith("__index_level_")]  # written by pandas


def _xlsx_header(path: Path) -> list[str]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True)
    first = next(book.worksheets[0].iter_rows(max_row=1, values_only=True), ())
    book.close()
    return [_as_text(name).strip() for name in first]


def _parquet_table(path: Path, columns: Sequence[str]) -> pa.Table:
    return pq.read_table(path, columns=list(columns))


def _xlsx_table(path: Path, columns: Sequence[str]) -> pa.Table:
    import pandas as pd

    names = _xlsx_header(path)
    places = sorted(names.index(column) for column in columns)
    frame = pd.read_excel(
        path, usecols=places, dtype=object, keep_default_na=False, engine="openpyxl"
    )
    return pa.table(
        {
            names[place]: pa.array([_as_text(cell) for cell in frame.iloc[:, i]], pa.string())
            for i, place in enumerate(places)
        }
    )


def _distinct(texts: pa.Array, codes: NDArray[np.integer]) -> TextColumn:
    """Values that are the same text share one code."""
    coded = texts.dictionary_encode()
    return TextColumn(coded.dictionary.to_pylist(), coded.indices.to_numpy()[codes])


def _as_text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float | Decimal) and value % 1 == 0:
        return str(int(value))
    return str(value)


_READ_HEADER = {".csv": csv_header, ".parquet": _parquet_header, ".xlsx": _xlsx_header}
_READ_TABLE = {".csv": read_csv, ".parquet": _parquet_table, ".xlsx": _xlsx_table}
