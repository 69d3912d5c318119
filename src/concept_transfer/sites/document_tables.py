"""Tables of documents, read row by row, with errors that name the line and show no word."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.errors import StudyError
from concept_transfer.sites.csv_files import open_quotation
from concept_transfer.sites.encodings import SIGNED, check_bytes, wrong_byte
from concept_transfer.sites.files import check_types, text_column
from concept_transfer.sites.headers import wrong_column

DELIMITERS = {".csv": ",", ".tsv": "\t"}
FORMATS = (*DELIMITERS, ".parquet")
LONGEST_CELL = 2**31 - 1
_BLANK = "\t\n\r\v\f"


@dataclass(frozen=True)
class DocumentTable:
    """Columns of a table as text, without surrounding blanks, and where each row begins."""

    path: Path
    places: list[int]
    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.places)

    def where(self, row: int) -> str:
        """A row, as an error names it."""
        unit = "row" if self.path.suffix.lower() == ".parquet" else "line"
        return f"{self.path}, {unit} {self.places[row]}"


def check_columns(path: Path, named: Sequence[tuple[str, str]], encoding: str) -> None:
    """Refuse a table without a column that the config names (key, column), with several of the
    name, or with one of bytes or lists (StudyError); reads no row."""
    there = column_names(path, encoding)
    columns = [name for _, name in named]
    in_first_line = columns if path.suffix.lower() in DELIMITERS else ()
    for key, name in named:
        if there.count(name) != 1:
            raise wrong_column(path, there, key, name, in_first_line)
    check_types(path, [], columns)


def column_names(path: Path, encoding: str) -> list[str]:
    """Names of a table's columns; reads no row. Raises StudyError."""
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise StudyError(f"{path}: tables of documents end in {', '.join(FORMATS)}")
    if not path.is_file():
        raise StudyError(f"{path} does not exist; paths begin in the folder where you work")
    if kind == ".parquet":
        try:
            return list(pq.read_schema(path).names)
        except (pa.ArrowInvalid, OSError) as error:
            raise StudyError(f"{path} is no Parquet file ({type(error).__name__})") from None
    with path.open(encoding=SIGNED.get(encoding, encoding), errors="replace", newline="") as lines:
        csv.field_size_limit(LONGEST_CELL)
        names = next(csv.reader(lines, delimiter=DELIMITERS[kind]), [])
    return [name.strip() for name in names]


def read_columns(path: Path, columns: Sequence[str], encoding: str) -> DocumentTable:
    """Some columns of a table. Raises StudyError that names the line of what is no text."""
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, columns)
    check_bytes(path, encoding)
    names = column_names(path, encoding)
    chosen = [names.index(name) for name in columns]
    rows = list(_rows(path, encoding, len(names)))
    read = {
        name: [cells[place].strip() for _, cells in rows]
        for name, place in zip(columns, chosen, strict=True)
    }
    return DocumentTable(path, [line for line, _ in rows], read)


def _read_parquet(path: Path, columns: Sequence[str]) -> DocumentTable:
    check_types(path, [], columns)
    try:
        table = pq.read_table(path, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise StudyError(
            f"{path} cannot be read as Parquet ({type(error).__name__}); check that the file is "
            "complete"
        ) from None
    read = {}
    for name in columns:
        try:
            read[name] = list(text_column(table.column(name)).texts())
        except (pa.ArrowException, ValueError, OverflowError):
            wrong = _rows_not_utf8(table.column(name))
            row = f", row {wrong[0]}" if wrong else ""
            kind = "not text in UTF-8" if wrong else f"of the type {table.column(name).type}"
            raise StudyError(
                f"{path}{row}, column '{name}': a value that is {kind}, and cannot be read as text"
                f"{f'; {len(wrong)} row(s) are affected' if wrong else ''}"
            ) from None
    return DocumentTable(path, list(range(1, table.num_rows + 1)), read)


def _rows_not_utf8(column: pa.ChunkedArray) -> list[int]:
    """Numbers of the rows, from 1, of a column of texts."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return []
    cells = (cell or b"" for cell in column.cast(pa.large_binary()).to_pylist())
    return [row for row, cell in enumerate(cells, 1) if wrong_byte(cell, "utf-8") is not None]


def check_characters(table: DocumentTable, texts: Sequence[str]) -> None:
    """Refuse a document with characters that no text has."""
    for row, text in enumerate(texts):
        if not text.isprintable() and any(
            unicodedata.category(each) == "Cc" and each not in _BLANK for each in text
        ):
            raise StudyError(
                f"{table.where(row)}: the document holds control characters, as binary files do; "
                "text has blanks and line ends alone"
            )


def _rows(path: Path, encoding: str, width: int) -> Iterator[tuple[int, list[str]]]:
    """The line in which each row below the header begins, and its cells."""
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding=SIGNED.get(encoding, encoding), newline="") as lines:
        rows = csv.reader(lines, delimiter=DELIMITERS[path.suffix.lower()], strict=True)
        begins = 1
        try:
            for cells in rows:
                if begins > 1 and cells:
                    if len(cells) != width:
                        raise StudyError(
                            f"{path}, line {begins}: a row of {len(cells)} cells; the header names "
                            f"{width} columns. Text that holds a separator or a line end stands in "
                            "quotation marks"
                        )
                    yield begins, cells
                begins = rows.line_num + 1
        except csv.Error:
            raise open_quotation(path, begins, rows.line_num) from None
