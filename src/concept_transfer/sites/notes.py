"""Reads a table of encounters and their notes: what the notes say becomes findings."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.text import Texts
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.document_tables import (
    DocumentTable,
    check_characters,
    check_columns,
    read_columns,
)
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.files import read_table, text_column
from concept_transfer.sites.mentions import check_extraction, with_findings
from concept_transfer.sites.notes_site import NotesSite
from concept_transfer.sites.table_settings import table_files
from concept_transfer.sites.tabular import check_tabular, of_every_finding, read_tabular

BETWEEN = "\n\n"  # notes of an encounter


def check_notes(site: NotesSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check headers, names and cues; reads no row (StudyError)."""
    check_tabular(site, vocabulary, task, root)
    for file in site.notes.files:
        named = [(f"notes.{key}", name) for key, name in _columns(site).items()]
        check_columns(resolve(file, root), named, site.notes.encoding)
    check_extraction(site.extraction, vocabulary, root)


def read_notes(site: NotesSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Encounters, findings of columns and notes, and ingest report of a site. Raises StudyError
    for what is wrong in a file; it names file and line, and shows no word of a note."""
    extract = read_tabular(site, vocabulary, of_every_finding(task), root)
    notes = _notes_of(site, extract.encounters, root)
    read = with_findings(extract, notes.texts, site.extraction, vocabulary, task, root)
    read.report["notes"].update(notes.counts)
    return read


def texts_of_notes(site: NotesSite, encounters: Encounters, task: Task, root: Path) -> Texts:
    """The notes of each encounter as one document. Its category is the type that all its notes
    have, if they agree. Raises StudyError."""
    notes = _notes_of(site, encounters, root)
    return Texts.of(notes.texts, notes.categories if site.notes.category else None)


@dataclass(frozen=True)
class _Notes:
    """A document an encounter, the category of each, and how many notes there were."""

    texts: list[str]
    categories: list[str | None]
    counts: dict[str, int]


@dataclass(frozen=True)
class _Note:
    written: datetime.datetime
    text: str
    category: str | None


def _notes_of(site: NotesSite, encounters: Encounters, root: Path) -> _Notes:
    ids = encounters.table.column("encounter").to_pylist()
    days = encounters.table.column("time").to_pylist()
    row_of = {name: row for row, name in enumerate(ids)}
    known = row_of.keys() | _all_ids(site, root)
    own: list[list[_Note]] = [[] for _ in ids]
    counts = {"notes": 0, "empty": 0, "of_encounters_left_out": 0, "after_the_encounter": 0}
    for table in _tables(site, root):
        names = _columns(site)
        owners = table.columns[names["encounter"]]
        _refuse(table, names["encounter"], owners, known.__contains__, "is no encounter's id")
        check_characters(table, table.columns[names["text"]])
        times = _times(site, table)
        kinds = table.columns[names["category"]] if "category" in names else [""] * len(table)
        for owner, text, kind, written in zip(
            owners, table.columns[names["text"]], kinds, times, strict=True
        ):
            counts["notes"] += 1
            row = row_of.get(owner)
            if row is None:
                counts["of_encounters_left_out"] += 1
            elif site.notes.time and days[row] and written.date() > days[row]:
                counts["after_the_encounter"] += 1
            elif not text:
                counts["empty"] += 1
            else:
                own[row].append(_Note(written, text, kind or None))
    ordered = [sorted(notes, key=lambda note: note.written) for notes in own]
    return _Notes(
        [BETWEEN.join(note.text for note in notes) for notes in ordered],
        [_same([note.category for note in notes]) for notes in ordered],
        counts,
    )


def _same(categories: Sequence[str | None]) -> str | None:
    """The category that all have, None where they differ."""
    return categories[0] if len(set(categories)) == 1 else None


def _tables(site: NotesSite, root: Path) -> list[DocumentTable]:
    names = list(dict.fromkeys(_columns(site).values()))
    return [
        read_columns(resolve(file, root), names, site.notes.encoding) for file in site.notes.files
    ]


def _columns(site: NotesSite) -> dict[str, str]:
    """Key of the config -> column."""
    notes = site.notes
    keys = {
        "encounter": notes.encounter or site.encounter,
        "text": notes.text,
        "category": notes.category,
        "time": notes.time,
    }
    return {key: name for key, name in keys.items() if name is not None}


def _all_ids(site: NotesSite, root: Path) -> set[str]:
    """The ids of all encounters of the files, also of those that are left out."""
    assert site.encounter is not None
    ids: set[str] = set()
    for file in table_files(site):
        ids.update(text_column(read_table(resolve(file, root), [site.encounter]).column(0)).values)
    return ids - {""}


def _times(site: NotesSite, table: DocumentTable) -> list[datetime.datetime]:
    """When each note was written; of a table without times, in its order."""
    if site.notes.time is None:
        return [datetime.datetime.min] * len(table)
    cells = table.columns[site.notes.time]
    times = [_time(cell) for cell in cells]
    _refuse(table, site.notes.time, times, bool, "is no date or time; write YYYY-MM-DD [HH:MM]")
    return [time for time in times if time]


def _time(cell: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(cell).replace(tzinfo=None)
    except ValueError:
        return None


def _refuse(
    table: DocumentTable,
    column: str,
    cells: Sequence[Any],
    fine: Callable[[Any], bool],
    problem: str,
) -> None:
    """Raise StudyError, which shows no cell, for cells that are not fine."""
    wrong: NDArray[np.int64] = np.flatnonzero([not fine(cell) for cell in cells])
    if len(wrong):
        raise StudyError(
            f"{table.where(int(wrong[0]))}, column '{column}': the value {problem}; "
            f"{len(wrong)} row(s) are affected"
        )
