"""Tables as text: how a file is written, and whether all of its rows were read."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from concept_transfer.errors import StudyError
from concept_transfer.sites.csv_files import open_quotation

_BLOCK_BYTES = 2**24


@dataclass(frozen=True)
class TextFile:
    """columns: names as the header has them, where they are empty or repeated by their place; tabs:
    cells are divided by tabs and never quoted, as in the tables of OHDSI's Athena; else by commas,
    with quotation marks."""

    path: Path
    columns: tuple[str, ...]
    tabs: bool


def text_file(path: Path) -> TextFile:
    """Look at the first line of a file. Raises StudyError for one that is empty, damaged or no
    UTF-8."""
    with _bytes(path) as file:
        line = file.readline()
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _no_utf8(path, 1) from None
    if not text or "\0" in text:
        raise StudyError(
            f"{path} {'begins with no header' if not text else 'is no text in UTF-8'}; a table as "
            "CSV has the names of its columns in the first line"
        )
    tabs = "\t" in text
    names = text.split("\t") if tabs else next(csv.reader([text]))
    seen = [name.strip().lower() for name in names]
    usable = [bool(name) and seen.index(name) == place for place, name in enumerate(seen)]
    columns = (name if usable[i] else f"column {i + 1}" for i, name in enumerate(names))
    return TextFile(path, tuple(columns), tabs)


def lines_below_header(path: Path) -> int:
    """Raises StudyError for a file that ends too early, and for the first line that is no UTF-8."""
    decoder, lines, last = codecs.getincrementaldecoder("utf-8")(), 0, b"\n"
    with _bytes(path) as file:
        while block := file.read(_BLOCK_BYTES):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                before = bytes(error.object[: error.start])
                raise _no_utf8(path, lines + before.count(b"\n") + 1) from None
            lines, last = lines + block.count(b"\n"), block
    return lines + (not last.endswith(b"\n")) - 1


def check_rows(file: TextFile, read: int, lines: int) -> None:
    """Raise StudyError unless `read` rows are all that a file with so many `lines` has.

    Lines and rows differ in number where a cell holds a line end, a line is empty, or a quotation
    mark is not closed, which hides all rows until the next one.
    """
    if read == lines:
        return
    if read != _rows(file):
        raise StudyError(
            f"{file.path} has {lines:,} lines below its header, of which {read:,} could be read as "
            "rows; write it anew, with a row a line"
        )


def _rows(file: TextFile) -> int:
    """The rows below the header, as Python's csv module counts them."""
    line, count = 1, -1
    with _bytes(file.path) as packed, io.TextIOWrapper(packed, "utf-8-sig", newline="") as text:
        if file.tabs:
            rows = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            rows = csv.reader(text, strict=True)
        try:
            for row in rows:
                count += bool(row)
                line = rows.line_num + 1
        except csv.Error:
            raise open_quotation(file.path, line, rows.line_num) from None
    return count


@contextlib.contextmanager
def _bytes(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked. Raises StudyError where they cannot be read to their end."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            # typed as one of two readers, which both read bytes
            yield file  # type: ignore[misc]
    except (OSError, EOFError, zlib.error) as error:
        raise StudyError(
            f"{path} cannot be read ({error}); copy it again, or write it anew"
        ) from None


def _no_utf8(path: Path, line: int) -> StudyError:
    return StudyError(
        f"{path}, line {line}: the text is not UTF-8; convert the file (iconv -f LATIN1 -t UTF-8)"
    )
