"""Column names of a table, and whether its first line holds any."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from concept_transfer.errors import StudyError, choices
from concept_transfer.paths import resolve
from concept_transfer.sites.coverage import closest, did_you_mean
from concept_transfer.sites.files import check_types, header
from concept_transfer.sites.table_settings import LongTable, TableSite

_LONGEST_NAME, _MOST_WORDS = 40, 4
_SENTENCE_ENDS = re.compile(r"[.!?](\s|$)")


def column_names(path: Path, site: TableSite) -> list[str]:
    """Column names of a site's file; reads no row.

    Raises StudyError where names repeat, or where the first line is a row of data, whose cells
    the message does not show: it lacks the label's column, and at least half of it are numbers,
    dates, repeated values, or spellings of the config.
    """
    columns = header(path)
    repeated = [name for name in columns if columns.count(name) > 1]
    spelled = _spellings(site)
    data = [n for n in columns if n in repeated or n.casefold() in spelled or _is_value(n)]
    if site.label.column not in columns and 2 * len(data) >= len(columns) > 0:
        raise StudyError(
            f"{path}: the first line looks like a row of data ({len(data)} of its {len(columns)} "
            "cells are numbers, dates, repeated, or spellings of the config); a table starts with "
            f"a line of column names, among them '{site.label.column}', which 'label.column' names"
        )
    if repeated:
        raise StudyError(f"{path}: column(s) {choices(set(repeated))} occur more than once")
    return columns


def wrong_column(
    path: Path, columns: Sequence[str], key: str, name: str, named: Collection[str] = ()
) -> StudyError:
    """The error for a column that a key of the config names, and that a table has not once.

    It shows the table's columns where they look like names, each short and no sentence or date, and
    where one at least is in `named`, if given: else the first line may be a row of patients' data.
    """
    problem = (
        f"{path} has {'no' if name not in columns else 'more than one'} column '{name}', which "
        f"'{key}' names; "
    )
    if all(map(_is_name, columns)) and (not named or any(each in columns for each in named)):
        like = did_you_mean(closest(name, columns))
        return StudyError(f"{problem}it has {some(columns)}{like}")
    known = ", one of them at least in the config" if named else ""
    return StudyError(
        f"{problem}its first line has {len(columns)} cell(s), and does not look like a line of "
        f"column names, with which a table starts (short, no sentences, no dates{known})"
    )


def some(names: Sequence[str], most: int = 12) -> str:
    """Names in a row, the first of many."""
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")


def check_long(site: TableSite, long: LongTable, root: Path) -> None:
    """Check the headers of a site's long tables; reads no row (StudyError)."""
    roles = {"encounter": long.encounter or site.encounter}
    roles |= {key: getattr(long, key) for key in ("concept", "state", "value")}
    named = {key: column for key, column in roles.items() if column is not None}
    for file in long.files:
        path = resolve(file, root)
        columns = header(path)
        for key, column in named.items():
            if columns.count(column) != 1:
                raise wrong_column(path, columns, f"long.{key}", column)
        check_types(path, list(named.values()), [])


def _spellings(site: TableSite) -> set[str]:
    label = site.label
    lists = [label.positive, label.negative, label.drop, *label.classes.values()]
    lists += site.spelling.values()
    for states in site.concept_spelling.values():
        lists += states.values()
    return {spelling.casefold() for spellings in lists for spelling in spellings}


def _is_name(cell: str) -> bool:
    if len(cell) > _LONGEST_NAME or len(cell.split()) > _MOST_WORDS or _SENTENCE_ENDS.search(cell):
        return False
    with contextlib.suppress(ValueError):
        datetime.datetime.fromisoformat(cell)
        return False
    return True


def _is_value(text: str) -> bool:
    for kind in (float, datetime.datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            kind(text)
            return True
    return False
