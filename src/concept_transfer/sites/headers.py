"""Column names of a table, and whether its first line holds any."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path

from concept_transfer.errors import StudyError, choices
from concept_transfer.paths import resolve
from concept_transfer.sites.coverage import closest, did_you_mean
from concept_transfer.sites.files import check_types, header
from concept_transfer.sites.table_settings import LongTable, TableSite


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
                raise StudyError(
                    f"{path} has {'no' if column not in columns else 'more than one'} column "
                    f"'{column}', which 'long.{key}' names; it has "
                    f"{', '.join(columns)}{did_you_mean(closest(column, columns))}"
                )
        check_types(path, list(named.values()), [])


def _spellings(site: TableSite) -> set[str]:
    label = site.label
    lists = [label.positive, label.negative, label.drop, *label.classes.values()]
    lists += site.spelling.values()
    for states in site.concept_spelling.values():
        lists += states.values()
    return {spelling.casefold() for spellings in lists for spelling in spellings}


def _is_value(text: str) -> bool:
    for kind in (float, datetime.datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            kind(text)
            return True
    return False
