"""Column names of a table, and whether its first line holds any."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path

from concept_transfer.errors import StudyError, choices
from concept_transfer.sites.files import header
from concept_transfer.sites.tabular_site import TabularSite


def column_names(path: Path, site: TabularSite) -> list[str]:
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


def _spellings(site: TabularSite) -> set[str]:
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
