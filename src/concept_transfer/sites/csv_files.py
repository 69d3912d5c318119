"""Comma-separated tables: read fast, or row by row where a fast reader may be wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from concept_transfer.errors import StudyError

_BLOCK_BYTES = 2**24
_ROWS_A_BATCH = 2**16
_TEXT = pa.dictionary(pa.int32(), pa.string())


def csv_header(path: Path) -> list[str]:
    """Column names of the first line."""
    return _header(path)[0]


def read_csv(path: Path, columns: Sequence[str], block_bytes: int = _BLOCK_BYTES) -> pa.Table:
    """The named columns as dictionary-encoded text, as Python's csv module reads them.

    Arrow reads a file in which every line is a row; where lines and rows differ in number, or
    Arrow finds an error, the csv module reads it instead: there a cell holds a line end, or a
    quotation mark is not closed. Raises StudyError naming the file and the line.
    """
    names, header_lines = _header(path)
    try:
        table = pa_csv.read_csv(path, *_options(names, header_lines, columns, block_bytes))
    except pa.ArrowInvalid:
        return _read_row_by_row(path, names, columns)
    if table.num_rows != _lines(path) - header_lines:
        return _read_row_by_row(path, names, columns)
    return table


def csv_batches(
    path: Path, columns: Sequence[str], block_bytes: int = _BLOCK_BYTES
) -> Iterator[pa.Table]:
    """What `read_csv` reads, a block at a time; a file with quotation marks is read as a whole."""
    names, header_lines = _header(path)
    if any(b'"' in block for block in _blocks(path)):
        yield read_csv(path, columns, block_bytes)
        return
    try:
        with pa_csv.open_csv(path, *_options(names, header_lines, columns, block_bytes)) as reader:
            yield from (pa.Table.from_batches([batch]) for batch in reader)
    except pa.ArrowInvalid as error:
        _read_row_by_row(path, names, columns)  # says which line is wrong
        raise StudyError(f"{path} cannot be read as CSV: {error}") from None


def count_rows(path: Path) -> int:
    """Lines below the header: the rows, unless a cell holds a line end or a line is empty."""
    return _lines(path) - _header(path)[1]


def _options(
    names: list[str], header_lines: int, columns: Sequence[str], block_bytes: int
) -> tuple[pa_csv.ReadOptions, pa_csv.ParseOptions, pa_csv.ConvertOptions]:
    return (
        pa_csv.ReadOptions(column_names=names, skip_rows=header_lines, block_size=block_bytes),
        pa_csv.ParseOptions(newlines_in_values=True),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, _TEXT),
            include_columns=list(columns),
            null_values=[],
            strings_can_be_null=False,
        ),
    )


def _header(path: Path) -> tuple[list[str], int]:
    """Column names, and how many lines they take."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        rows = csv.reader(lines)
        return [name.strip() for name in next(rows, [])], rows.line_num


def _lines(path: Path) -> int:
    count, block = 0, b"\n"
    for block in _blocks(path):
        count += block.count(b"\n")
    return count + (not block.endswith(b"\n"))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def _read_row_by_row(path: Path, names: list[str], columns: Sequence[str]) -> pa.Table:
    places = [names.index(column) for column in columns]
    rows = _rows(path, len(names), places)
    batches = []
    while batch := list(islice(rows, _ROWS_A_BATCH)):
        cells = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
        batches.append(pa.table([array.dictionary_encode() for array in cells], list(columns)))
    empty = pa.schema([(column, _TEXT) for column in columns]).empty_table()
    return pa.concat_tables([empty, *batches])


def _rows(path: Path, width: int, places: list[int]) -> Iterator[list[str]]:
    """The cells at `places` of every row below the header."""
    line = 1
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        rows = csv.reader(lines, strict=True)
        try:
            for row in rows:
                cells = [row[place] for place in places] if len(row) == width else []
                text = "".join(cells)
                if (row and not cells) or text != text.encode(errors="replace").decode():
                    until = f" (in quotation marks, it goes on to line {rows.line_num})"
                    raise StudyError(
                        f"{path}, line {line}: not a comma-separated row of {width} UTF-8 cells "
                        f"like the header{until if rows.line_num > line else ''}"
                    )
                if row and line > 1:
                    yield cells
                line = rows.line_num + 1
        except csv.Error:
            raise open_quotation(path, line, rows.line_num) from None


def open_quotation(path: Path, line: int, seen: int) -> StudyError:
    """The error for a quotation mark of a row that begins in `line`, as `seen` in a later one."""
    return StudyError(
        f"{path}, line {line}: a quotation mark that opens in the row of this line is not closed, "
        f"or text follows where it closes (seen in line {seen}); close it, and write quotation "
        "marks that belong to a cell's text twice"
    )
