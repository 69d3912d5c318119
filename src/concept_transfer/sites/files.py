"""Wide tables on disk (CSV, Parquet, XLSX) as columns of text, read without a type guessed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.errors import StudyError

FORMATS = (".csv", ".parquet", ".xlsx")


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
    """Column names of a table; reads no row. Raises StudyError naming the file."""
    if path.suffix.lower() not in FORMATS:
        raise StudyError(f"{path}: files of a tabular site end in {', '.join(FORMATS)}")
    if not path.is_file():
        raise StudyError(f"{path} does not exist; the config's path is where the file must lie")
    try:
        names = _READ_HEADER[path.suffix.lower()](path)
    except Exception as error:  # every library has its own for a file that is not its format
        raise StudyError(
            f"{path} cannot be read as {path.suffix[1:].upper()} ({type(error).__name__}); check "
            "that the file is complete and its ending says what it is"
        ) from None
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise StudyError(f"{path}: column(s) {', '.join(repeated)} occur more than once")
    return names


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """The named columns of a table; errors name file and row, never a cell's content."""
    return _READ_TABLE[path.suffix.lower()](path, columns)


def text_column(column: pa.ChunkedArray | pa.Array) -> TextColumn:
    """A column as text; surrounding blanks are cut.

    Integral numbers read alike whether a file stores 1, 1.0 or '1'.
    """
    coded = dictionary_encoded(column)
    codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)
    return _merge([*coded.dictionary.to_pylist(), None], codes.astype(np.int32))


def dictionary_encoded(column: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    """A column as one array of its distinct values and a code a cell (null for a null cell)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _csv_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        return [name.strip() for name in next(csv.reader(lines), [])]


def _parquet_header(path: Path) -> list[str]:
    return list(pq.read_schema(path).names)


def _xlsx_header(path: Path) -> list[str]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True)
    first = next(book.worksheets[0].iter_rows(max_row=1, values_only=True), ())
    book.close()
    return [_as_text(name).strip() for name in first if name is not None]


def _csv_table(path: Path, columns: Sequence[str]) -> pa.Table:
    names = _csv_header(path)
    text = pa.dictionary(pa.int32(), pa.string())
    try:
        return pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(column_names=names, skip_rows=1, block_size=2**24),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, text),
                include_columns=list(columns),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        raise StudyError(
            f"{path}{_bad_line(path, len(names))}: not a comma-separated row of {len(names)} UTF-8 "
            "cells like the header"
        ) from None


def _bad_line(path: Path, width: int) -> str:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        rows = csv.reader(lines)
        for row in rows:
            text = "".join(row)
            if len(row) not in (0, width) or text != text.encode(errors="replace").decode():
                return f", line {rows.line_num}"
    return ""


def _parquet_table(path: Path, columns: Sequence[str]) -> pa.Table:
    return pq.read_table(path, columns=list(columns))


def _xlsx_table(path: Path, columns: Sequence[str]) -> pa.Table:
    import pandas as pd

    frame = pd.read_excel(
        path, usecols=list(columns), dtype=object, keep_default_na=False, engine="openpyxl"
    )
    return pa.table(
        {
            str(name): pa.array([_as_text(v) for v in frame[name]], pa.string())
            for name in frame.columns
        }
    )


def _merge(values: list[Any], codes: NDArray[np.int32]) -> TextColumn:
    """Values that are the same text share one code."""
    texts = [_as_text(value).strip() for value in values]
    unique = list(dict.fromkeys(texts))
    position = {text: i for i, text in enumerate(unique)}
    renumber = np.array([position[text] for text in texts], dtype=np.int32)
    return TextColumn(unique, renumber[codes])


def _as_text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


_READ_HEADER = {".csv": _csv_header, ".parquet": _parquet_header, ".xlsx": _xlsx_header}
_READ_TABLE = {".csv": _csv_table, ".parquet": _parquet_table, ".xlsx": _xlsx_table}
