"""Sites, the task, and how encounters are divided, as the config states them."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from concept_transfer.settings.addresses import Address
from concept_transfer.settings.section import Distinct, Section


class Task(Section):
    """What is predicted, and from which concepts."""

    label: str = Field(description="Name of the outcome, used in titles and by some adapters.")
    exclude_categories: list[str] = Field(
        default=[], description="Concept categories that no model sees (for example lab result)."
    )
    exclude_concepts: list[str] = Field(
        default=[], description="Single concept ids that no model sees."
    )
    not_recorded: Literal["omit", "absent"] = Field(
        default="omit",
        description="A finding nobody wrote down contributes nothing (omit) or is read as the "
        "concept's state 'absent', as Gao et al. 2024 did.",
    )


class SimulatedSite(Section):
    """Encounters sampled from a small Bayesian network."""

    adapter: Literal["simulated"]
    network: str = Field(description="YAML file of the network (see resources/networks).")
    encounters: int = Field(default=6000, ge=1, description="How many encounters to sample.")
    seed: int = Field(default=1, ge=0, description="Seed of the sample.")


class LabelColumn(Section):
    """Which column holds the outcome of a tabular site, and how it is spelled."""

    column: str = Field(description="Name of the column.")
    positive: list[str] = Field(min_length=1, description="Spellings of the outcome.")
    negative: list[str] = Field(min_length=1, description="Spellings of its absence.")
    drop: list[str] = Field(default=[], description="Encounters with these values are left out.")


class TabularSite(Section):
    """A wide table: one row an encounter, one column a finding (CSV, Parquet or XLSX)."""

    adapter: Literal["tabular"]
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
    crosswalk: str | None = Field(
        default=None, description="TSV with columns site_code, concept; else columns are concepts."
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
    def _one_source_of_rows(self) -> TabularSite:
        given = bool(self.train or self.validation or self.test)
        if (self.path is None) == (not given):
            raise ValueError("give either 'path' or the lists 'train', 'validation', 'test'")
        return self


class NhamcsSite(Section):
    """Emergency-department visits of one census region (NHAMCS public-use Stata files)."""

    adapter: Literal["nhamcs"]
    path: str = Field(description="Folder of the CDC's zipped Stata files.")
    years: Distinct[int] = Field(min_length=1, description="Survey years to read.")
    region: Literal["Northeast", "Midwest", "South", "West"] = Field(
        description="Census region of the hospital."
    )
    cohort: Literal["respiratory", "all"] = Field(
        default="respiratory",
        description="Visits with a fever or respiratory reason (10050-10123, 14000-14859), or all.",
    )
    download_from: Address | None = Field(
        default="https://ftp.cdc.gov/pub/Health_Statistics/NCHS/dataset_documentation/nhamcs/stata",
        description="Where missing years are fetched; null never downloads.",
    )


Site = Annotated[SimulatedSite | TabularSite | NhamcsSite, Field(discriminator="adapter")]


class Split(Section):
    """How every site's encounters are divided, always by cluster (default: patient)."""

    by: Literal["given", "time", "share", "folds"] = Field(
        description="The files say (given), the last period tests (time), a random share of the "
        "clusters tests (share), or every encounter is tested once by a model that saw nothing of "
        "its cluster (folds)."
    )
    folds: int = Field(
        default=5, ge=2, le=1000, description="folds: number of cross-fitting folds."
    )
    test_share: float = Field(default=0.3, gt=0, lt=1, description="share: part held for testing.")
    test_from: datetime.date | None = Field(
        default=None, description="time: encounters from this day on test."
    )
    validation_share: float = Field(
        default=0.2, gt=0, lt=1, description="Part of the non-test clusters kept for validation."
    )

    @model_validator(mode="after")
    def _time_needs_a_day(self) -> Split:
        if self.by == "time" and self.test_from is None:
            raise ValueError("split by time needs 'test_from', the first day of the test period")
        return self
