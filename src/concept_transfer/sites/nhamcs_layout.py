"""Fixed-width ASCII files of NHAMCS visits, and where their fields lie."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError

COLUMNS = ("field", "years", "first", "last")
YEAR = "YEAR"
_BLANK = -9
_POSSIBLE = {"VMONTH": range(1, 13), "REGION": range(1, 5)}


@dataclass(frozen=True)
class Field:
    """First and last column of a field in its line, counted from 1."""

    first: int
    last: int

    def of(self, line: str) -> str:
        return line[self.first - 1 : self.last]


def read_layout(path: Path, year: int, required: Collection[str]) -> dict[str, Field]:
    """Name -> place of the fields in a year's file.

    Raises StudyError naming the file and line for what is no layout, and the year for which it
    lacks a required field, or the year that tells files apart.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(
            f"layout {path} cannot be read ({type(error).__name__}); it is a TSV with the columns "
            f"{', '.join(COLUMNS)} (resources/nhamcs/layout.tsv)"
        ) from None
    numbered = [(n, line) for n, line in enumerate(lines, 1) if not line.startswith("#")]
    rows = csv.DictReader((line for _, line in numbered), delimiter="\t")
    fields = {}
    for (number, _), row in zip(numbered[1:], rows, strict=True):
        try:
            first_year, _, last_year = row["years"].partition("-")
            field = Field(int(row["first"]), int(row["last"]))
            within = int(first_year) <= year <= int(last_year or first_year)
            if not 0 < field.first <= field.last or (within and row["field"] in fields):
                raise ValueError
        except (KeyError, ValueError, TypeError, AttributeError):
            raise StudyError(
                f"layout {path}, line {number}: a row has the columns {', '.join(COLUMNS)}, "
                "separated by tabs: a field's name, a year or two (2010-2011), and whole numbers "
                "from 1; a field has one place in a year"
            ) from None
        if within:
            fields[row["field"]] = field
    missing = [name for name in (YEAR, *required) if name not in fields]
    if missing:
        raise StudyError(
            f"layout {path} does not say where {', '.join(missing)} lies in the ASCII file of "
            f"{year}; put the CDC's Stata file of the year in place of it, or add the place from "
            "the file's documentation"
        )
    return fields


def fixed_width(
    text: str, fields: Mapping[str, Field], texts: Collection[str], year: int, where: str
) -> dict[str, NDArray[np.generic]]:
    """The columns of a year's visits, one line each: whole numbers (-9: blank), or text.

    Raises StudyError naming row and columns, but no value, for a line that is too short, for
    another survey year, and for what is no number of its field.
    """
    lines = [line.rstrip("\r") for line in text.rstrip("\r\n\x1a").split("\n")]
    longest = max(field.last for field in fields.values())
    needed = [name for name in fields if name not in texts]
    columns: dict[str, NDArray[np.generic]] = {}
    short = [row for row, line in enumerate(lines, 1) if len(line) < longest]
    if short:
        raise StudyError(
            f"{where}, row {short[0]}: the line ends before column {longest}, where the layout has "
            f"the last field of {year}; {len(short)} row(s) are affected"
        )
    for name in texts:
        if name in fields:
            columns[name] = np.array([fields[name].of(line).strip() for line in lines], object)
    for name in needed:
        allowed = range(year, year + 1) if name == YEAR else _POSSIBLE.get(name)
        numbers = [_number(fields[name].of(line)) for line in lines]
        bad = [
            row
            for row, number in enumerate(numbers, 1)
            if number is None or (allowed is not None and number not in allowed)
        ]
        if bad:
            field = fields[name]
            what = f"not {year}" if name == YEAR else "no number of this field"
            raise StudyError(
                f"{where}, row {bad[0]}, columns {field.first} to {field.last} ({name}): this is "
                f"{what}; {len(bad)} row(s) are affected. Either the file is not that of {year}, "
                "or the layout is not the file's"
            )
        columns[name] = np.array(numbers, np.int64)
    return columns


def _number(text: str) -> int | None:
    try:
        return int(text) if text.strip() else _BLANK
    except ValueError:
        return None
