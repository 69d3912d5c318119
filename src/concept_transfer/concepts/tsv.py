"""Tables that people write by hand: UTF-8, tab-separated, with comments, read with line numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from concept_transfer.errors import StudyError

_CELL = re.compile(r'(?:^|\t)(?:"((?:[^"]|"")*)"(?=\t|$)|([^\t]*))')


def read_rows(
    what: str, path: Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> list[tuple[str, dict[str, str]]]:
    """The rows of a table, each with where it stands (``crosswalk c.tsv, line 3``).

    Lines that start with # are comments. A row holds all columns of the file, and those that are
    `optional` and not there as ''; so are cells that are missing at its end, but those of
    `columns` must be there. A cell in quotes loses them, and doubled quotes in it become
    single, as spreadsheets write them; every other quotation mark belongs to the text.

    `what` the table is starts every message. Raises StudyError that names the file, the line and
    what is accepted there.
    """
    numbered = [
        (number, _cells(line))
        for number, line in enumerate(_lines(what, path, columns), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if not numbered:
        raise StudyError(f"{what} {path} is empty; it needs the columns {', '.join(columns)}")
    header = numbered[0][1]
    missing = [column for column in columns if column not in header]
    if missing:
        raise StudyError(
            f"{what} {path} lacks the column(s) {', '.join(missing)}; it has "
            f"{', '.join(header)} and needs {', '.join(columns)} (separated by tabs)"
        )
    twice = [column for column in (*columns, *optional) if header.count(column) > 1]
    if twice:
        raise StudyError(f"{what} {path} has the column(s) {', '.join(twice)} more than once")
    rows = []
    for number, values in numbered[1:]:
        where = f"{what} {path}, line {number}"
        lacking = header[len(values) :]
        if len(values) > len(header) or set(columns).intersection(lacking):
            raise StudyError(
                f"{where} has {len(values)} column(s), the header has {len(header)}; "
                "columns are separated by single tabs, and no cell holds a line break"
            )
        cells = dict(zip(header, [*values, *("" for _ in lacking)], strict=True))
        rows.append((where, dict.fromkeys(optional, "") | cells))
    return rows


def _lines(what: str, path: Path, columns: Sequence[str]) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise StudyError(
            f"{what} {path} does not exist; give the path of a TSV with the columns "
            f"{', '.join(columns)}"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise StudyError(
            f"{what} {path} is not UTF-8 text ({error.reason} in line {line}); save it as "
            "UTF-8 with tab-separated columns"
        ) from None
    except OSError as error:
        raise StudyError(
            f"{what} {path} cannot be read ({error.strerror}); give the path of a TSV with "
            f"the columns {', '.join(columns)}"
        ) from None


def _cells(line: str) -> list[str]:
    """The line's cells, blanks around them removed."""
    cells = (quoted.replace('""', '"') or plain for quoted, plain in _CELL.findall(line))
    return [cell.strip() for cell in cells]
