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
from concept_transfer.sites.files import text_column

DELIMITERS = {".csv": ",", ".tsv": "\t"}
FORMATS = (*DELIMITERS, ".parquet")
SIGNED = {"utf-8": "utf-8-sig"}  # a mark at the beginning of a file is no text
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
        names = next(csv.reader(lines, delimiter=DELIMITERS[kind]), [])
    return [name.strip() for name in names]


def read_columns(path: Path, columns: Sequence[str], encoding: str) -> DocumentTable:
    """Some columns of a table. Raises StudyError that names the line of what is no text."""
    if path.suffix.lower() == ".parquet":
        table = pq.read_table(path, columns=list(columns))
        for name in columns:
            if pa.types.is_binary(table.schema.field(name).type):
                raise StudyError(f"{path}, column '{name}' holds bytes; documents are text")
        read = {name: list(text_column(table.column(name)).texts()) for name in columns}
        return DocumentTable(path, list(range(1, table.num_rows + 1)), read)
    _check_bytes(path, encoding)
    names = column_names(path, encoding)
    chosen = [names.index(name) for name in columns]
    rows = list(_rows(path, encoding, len(names)))
    read = {
        name: [cells[place].strip() for _, cells in rows]
        for name, place in zip(columns, chosen, strict=True)
    }
    return DocumentTable(path, [line for line, _ in rows], read)


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


def _check_bytes(path: Path, encoding: str) -> None:
    """Refuse what is no text in the encoding, by the first line that shows it."""
    data = path.read_bytes()
    zero = data.find(b"\0")
    if zero >= 0:
        raise StudyError(
            f"{path}, line {_line(data, zero)}: a byte 0, which text does not have; the file is "
            "binary, or in UTF-16. Save it as text in UTF-8"
        )
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = [_line(data, error.start)] if encoding != "utf-8" else _lines_not_utf8(data)
        several = f"; {len(wrong)} lines are not" if len(wrong) > 1 else ""
        mixed = encoding == "utf-8" and any(byte > 127 for byte in _without(data, wrong))
        remedy = (
            "while others are: the file mixes encodings. Convert these lines"
            if mixed
            else "say `encoding: cp1252` if Windows wrote the file, or convert it"
        )
        raise StudyError(
            f"{path}, line {wrong[0]}: not text in {encoding.upper()} (byte "
            f"0x{data[error.start]:02X}){several}; {remedy}"
        ) from None


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def _lines_not_utf8(data: bytes) -> list[int]:
    """Numbers of the lines, from 1."""
    wrong = []
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            wrong.append(number)
    return wrong


def _without(data: bytes, lines: Sequence[int]) -> bytes:
    left_out = set(lines)
    kept = (line for n, line in enumerate(data.split(b"\n"), 1) if n not in left_out)
    return b"\n".join(kept)
