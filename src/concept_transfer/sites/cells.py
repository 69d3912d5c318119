"""Cells of a table, looked up column by column, with errors that name file, row and column."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.sites.files import TextColumn
from concept_transfer.sites.spelling import spelled


class Cells:
    """Columns of one file, or some of its rows: `rows` counts them in the file, from 1."""

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, TextColumn],
        show_values: bool,
        rows: NDArray[np.int64] | None = None,
    ):
        self.path = path
        self.columns = columns
        self.show_values = show_values
        self.rows = rows

    def meanings(
        self, name: str, meaning: Mapping[str, Any], problem: str = "is none of"
    ) -> NDArray[Any]:
        """What every cell of a column means; every cell must be one of the spellings."""
        column = self.columns[name]
        self.refuse(
            name,
            [value for value in column.values if spelled(value) not in meaning],
            f"{problem} the declared spellings, which are "
            + ", ".join(f"'{spelling}'" for spelling in meaning)
            + " (case is ignored)",
        )
        unused = next(iter(meaning.values()))
        return np.array([meaning.get(spelled(v), unused) for v in column.values])[column.codes]

    def identifiers(self, name: str, key: str) -> NDArray[np.object_]:
        """Cells of a column that may not be empty."""
        self.refuse(name, [""], f"is empty, but '{key}' needs one in every row")
        return self.columns[name].texts()

    def dates(self, name: str) -> NDArray[np.object_]:
        """Days of a column of ISO dates or timestamps; an empty cell is null."""
        column = self.columns[name]
        days = [_day(value) for value in column.values]
        bad = [v for v, day in zip(column.values, days, strict=True) if v and day is None]
        self.refuse(name, bad, "is no date; dates are written YYYY-MM-DD")
        return np.array([*days, None], dtype=object)[column.codes]

    def refuse(self, name: str, values: list[str], problem: str) -> None:
        """Raise StudyError if a cell of the column is one of the values."""
        rows = self.columns[name].where(values)
        if not len(rows):
            return
        column = self.columns[name]
        value = f"'{column.values[column.codes[rows[0]]]}'" if self.show_values else "the value"
        number = rows[0] + 1 if self.rows is None else self.rows[rows[0]]
        raise StudyError(
            f"{self.path}, row {number}, column '{name}': {value} {problem}; "
            f"{len(rows)} row(s) are affected"
            + ("" if self.show_values else " (show_values: true shows the value)")
        )


def _day(value: str) -> datetime.date | None:
    try:
        return datetime.datetime.fromisoformat(value).date()
    except ValueError:
        return None
