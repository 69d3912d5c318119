"""Sections of sites whose encounters stand in tables: a row an encounter, findings in its columns
or in long tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from concept_transfer.reporting.words import listing
from concept_transfer.settings.section import Distinct, Section
from concept_transfer.settings.sites import CodedSite

DROP = "drop"


class LabelColumn(Section):
    """Which column holds the outcome of a tabular site, and how it is spelled."""

    column: str = Field(description="Name of the column.")
    positive: list[str] = Field(default=[], description="Spellings of the outcome.")
    negative: list[str] = Field(default=[], description="Spellings of its absence.")
    classes: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        default={},
        description="Class -> its spellings, for every one of task.classes, instead of positive "
        "and negative.",
    )
    drop: list[str] = Field(default=[], description="Encounters with these values are left out.")

    @model_validator(mode="after")
    def _one_way_to_tell_classes_apart(self) -> LabelColumn:
        two = bool(self.positive), bool(self.negative)
        if any(two) == bool(self.classes) or two[0] != two[1]:
            raise ValueError(
                "give the spellings of 'positive' and 'negative', or 'classes' for any number of "
                "classes"
            )
        if DROP in self.classes:
            raise ValueError(f"classes: '{DROP}' cannot name a class; it is the key beside them")
        return self


class LongTable(Section):
    """Tables with a row a finding of an encounter, in any order; a row may be there twice."""

    files: Annotated[Distinct[str], Field(min_length=1)] = Field(
        description="The files (CSV, Parquet or XLSX), all with the same columns."
    )
    concept: str = Field(
        description="Column of the concept, or of the site's code that the crosswalk maps. Codes "
        "without a concept are counted."
    )
    encounter: str | None = Field(
        default=None, description="Column of the encounter's id (else named as at the encounters)."
    )
    state: str | None = Field(
        default=None, description="Column of the state, spelled as in cells (else all present)."
    )
    value: str | None = Field(
        default=None, description="Column of the numbers of binned concepts (else that of states)."
    )


class TableSite(CodedSite):
    """Encounters in a table. `findings_elsewhere`: whether its columns may hold no finding."""

    findings_elsewhere: ClassVar[bool] = False

    path: str | None = Field(default=None, description="The file, when one file holds all rows.")
    train: Distinct[str] = Field(default=[], description="Files whose rows are given for training.")
    validation: Distinct[str] = Field(default=[], description="Files given for validation.")
    test: Distinct[str] = Field(default=[], description="Files given for testing.")
    label: LabelColumn = Field(description="Where the outcome stands.")
    encounter: str | None = Field(default=None, description="Encounter id column (else row).")
    patient: str | None = Field(default=None, description="Patient id column.")
    cluster: str | None = Field(
        default=None, description="Column of the unit that must not be divided (else patient)."
    )
    time: str | None = Field(default=None, description="Column of the encounter's date.")
    partition: str | None = Field(
        default=None, description="Column holding train / validation / test."
    )
    spelling: dict[str, list[str]] = Field(
        default={
            "present": ["present", "P", "1", "true", "yes"],
            "absent": ["absent", "A", "0", "false", "no"],
            "not recorded": ["", "missing", "M", "NA"],
        },
        description="State -> spellings (case is ignored) for concepts without their own entry.",
    )
    concept_spelling: dict[str, dict[str, list[str]]] = Field(
        default={}, description="Concept -> state -> spellings, for graded concepts."
    )
    long: LongTable | None = Field(
        default=None, description="Findings that stand in tables of their own."
    )
    ignore_columns: list[str] = Field(
        default=[],
        description="Columns that hold no finding. Without a crosswalk, any other column whose "
        "name is no concept is an error.",
    )
    show_values: bool = Field(
        default=False, description="Show offending cell values of patients' rows in errors."
    )

    @model_validator(mode="after")
    def _one_source_of_rows(self) -> TableSite:
        given = bool(self.train or self.validation or self.test)
        if (self.path is None) == (not given):
            raise ValueError("give either 'path' or the lists 'train', 'validation', 'test'")
        if self.long and self.encounter is None:
            raise ValueError("'long' needs 'encounter', the column by which findings are joined")
        return self


def refuse_text_as(text: str, columns: Mapping[str, str | None]) -> None:
    """Refuse keys (key -> its column) that name the column of the text (ValueError)."""
    for key, column in columns.items():
        if column == text:
            raise ValueError(
                f"{key} names '{column}', the column of the text: whole documents would stand "
                "where ids, dates or names stand, and in a report; name another column"
            )


def table_files(site: TableSite) -> list[str]:
    return [site.path] if site.path else [*site.train, *site.validation, *site.test]


def files_of_tables(site: TableSite, root: Path) -> list[str]:
    findings = site.long.files if site.long else []
    return [*table_files(site), *findings, *([site.crosswalk] if site.crosswalk else [])]


def described_tables(site: TableSite) -> str:
    findings = f", with findings in {listing(site.long.files)}" if site.long else ""
    return f"tabular files {listing(table_files(site))}{findings}"


PATHS = ("path", "train", "validation", "test", "crosswalk", "code_descriptions", "long.files")
