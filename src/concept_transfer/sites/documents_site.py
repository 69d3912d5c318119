"""The adapter `documents`: a table with a row a document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from concept_transfer.settings.section import Section
from concept_transfer.settings.sites import SiteSection
from concept_transfer.sites.adapters import Adapter
from concept_transfer.sites.amounts import Amount, of_files
from concept_transfer.sites.table_settings import LabelColumn, refuse_text_as


class Part(Section):
    """One of several parts of the documents, divided at random: by patient, where known."""

    number: int = Field(ge=1, description="Which part, from 1.")
    of: int = Field(default=2, ge=2, description="How many there are.")
    seed: int = Field(default=0, ge=0, description="Seed of the division.")

    @model_validator(mode="after")
    def _exists(self) -> Part:
        if self.number > self.of:
            raise ValueError(f"there is no part {self.number} of {self.of}")
        return self


class Rows(Section):
    """Which rows of the table are the site's: those that meet all conditions."""

    fewest_words: int = Field(default=0, ge=0, description="Words that a document has at least.")
    most_words: int | None = Field(default=None, ge=1, description="Words at most; null: any.")
    columns: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        default={}, description="Column -> the values that its cell may have."
    )
    part: Part | None = Field(
        default=None, description="A part of them at random, for sites that differ by nothing."
    )


class DocumentsSite(SiteSection):
    """A table with a row a document and its label (CSV, TSV or Parquet)."""

    adapter: Literal["documents"]
    path: str = Field(description="The file.")
    text: str = Field(description="Column of the document.")
    label: LabelColumn = Field(description="Where the class stands.")
    encounter: str | None = Field(default=None, description="Column of an id (else file and line).")
    patient: str | None = Field(
        default=None,
        description="Column of whose document it is (else each is of somebody of its own).",
    )
    cluster: str | None = Field(
        default=None, description="Column of the unit that must not be divided (else patient)."
    )
    time: str | None = Field(default=None, description="Column of the document's date.")
    category: str | None = Field(
        default=None,
        description="Column of the kind of document, which language models may learn from.",
    )
    rows: Rows = Field(default=Rows(), description="Which rows are the site's.")
    copies: Literal["drop", "first", "keep"] = Field(
        default="drop",
        description="A text that stands in several rows: none of them where their labels differ, "
        "else the first (drop); the first, whatever the labels (first); or all of them (keep).",
    )
    longest: int = Field(
        default=20_000,
        ge=1,
        description="Words of a document that are read; what follows is cut off, and counted.",
    )
    encoding: Literal["utf-8", "cp1252"] = Field(
        default="utf-8", description="Of the bytes of a CSV or TSV file."
    )
    show_values: bool = Field(
        default=False, description="Show offending cells in errors, but never a document."
    )

    @model_validator(mode="after")
    def _no_leak(self) -> DocumentsSite:
        others = ("encounter", "patient", "cluster", "time", "category")
        columns = {"label.column": self.label.column} | {key: getattr(self, key) for key in others}
        refuse_text_as(self.text, columns)
        if self.category == self.label.column:
            raise ValueError(
                f"category names '{self.category}', the column of the label: what learns from the "
                "kind of a document would learn its label; name another column"
            )
        return self


def _described(site: DocumentsSite) -> str:
    rows = site.rows
    least, most = rows.fewest_words, rows.most_words
    told = [
        *([f"of {least} words or more"] if least else []),
        *([f"of {most} words or fewer"] if most else []),
        *(f"with {name} {' or '.join(values)}" for name, values in rows.columns.items()),
        *([f"of part {rows.part.number} of {rows.part.of} at random"] if rows.part else []),
    ]
    return f"documents of {site.path}{''.join(f', {each}' for each in told)}"


def _files(site: DocumentsSite, root: Path) -> list[str]:
    return [site.path]


def _amount(site: DocumentsSite, root: Path) -> Amount | None:
    found, part = of_files([site.path], root), site.rows.part
    return replace(found, pieces=found.pieces / part.of) if found and part else found


DOCUMENTS = Adapter(
    settings=DocumentsSite,
    check="concept_transfer.sites.documents_reader:check_documents",
    read="concept_transfer.sites.documents_reader:read_documents",
    texts="concept_transfer.sites.documents_reader:read_texts",
    amount=_amount,
    files=_files,
    table_files=lambda site: [site.path] if site.rows == Rows() else [],
    paths=("path",),
    described=_described,
    limitation="Learners of findings see the length of a document alone. Documents without a "
    "patient count as of different people.",
)
