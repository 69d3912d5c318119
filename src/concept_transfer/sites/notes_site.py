"""The adapter `notes`: a table of encounters, and their notes, from which findings are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from concept_transfer.reporting.words import listing
from concept_transfer.settings.extraction import EXTRACTION_PATHS, NotedSite, extraction_files
from concept_transfer.settings.section import Distinct, Section
from concept_transfer.sites.adapters import Adapter
from concept_transfer.sites.amounts import of_files
from concept_transfer.sites.table_settings import (
    PATHS,
    TableSite,
    described_tables,
    files_of_tables,
    refuse_text_as,
    table_files,
)


class NotesTable(Section):
    """Tables with a row a note, in any order."""

    files: Annotated[Distinct[str], Field(min_length=1)] = Field(
        description="The files (CSV, TSV or Parquet), all with the same columns."
    )
    text: str = Field(description="Column of the note.")
    encounter: str | None = Field(
        default=None, description="Column of the encounter's id (else named as at the encounters)."
    )
    category: str | None = Field(default=None, description="Column of the type of note.")
    time: str | None = Field(
        default=None,
        description="Column of the date, or date and time, of the note. Notes of an encounter are "
        "read in this order, and those of a later day than the encounter's are left out.",
    )
    encoding: Literal["utf-8", "cp1252"] = Field(
        default="utf-8", description="Of the bytes of a CSV or TSV file."
    )


class NotesSite(TableSite, NotedSite):
    """A table of encounters, one a row, and notes in tables of their own, from which findings are
    read (docs/notes.md). Columns and long tables may hold further findings, as with `tabular`."""

    findings_elsewhere: ClassVar[bool] = True

    adapter: Literal["notes"]
    notes: NotesTable = Field(description="Where the notes stand.")

    @model_validator(mode="after")
    def _no_leak(self) -> NotesSite:
        notes = self.notes
        refuse_text_as(
            notes.text,
            {
                "notes.encounter": notes.encounter or self.encounter,
                "notes.category": notes.category,
                "notes.time": notes.time,
            },
        )
        return self

    @model_validator(mode="after")
    def _joined(self) -> NotesSite:
        if self.encounter is None:
            raise ValueError("'notes' needs 'encounter', the column by which notes are joined")
        if self.notes.time is not None and self.time is None:
            raise ValueError(
                "'notes.time' needs 'time', the column of the encounter's date: notes of a later "
                "day are left out"
            )
        return self


def _files(site: NotesSite, root: Path) -> list[str]:
    return [*files_of_tables(site, root), *site.notes.files, *extraction_files(site)]


def _described(site: NotesSite) -> str:
    return f"{described_tables(site)}, with findings read from notes in {listing(site.notes.files)}"


NOTES = Adapter(
    settings=NotesSite,
    check="concept_transfer.sites.notes:check_notes",
    read="concept_transfer.sites.notes:read_notes",
    texts="concept_transfer.sites.notes:texts_of_notes",
    amount=lambda site, root: of_files(site.notes.files, root),
    files=_files,
    table_files=table_files,
    paths=(*PATHS, "notes.files", *EXTRACTION_PATHS),
    described=_described,
    limitation="Findings were read from notes by software: some are missed, some are wrong, and "
    "sites that write otherwise are read otherwise well.",
)
