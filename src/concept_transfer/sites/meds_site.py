"""The adapter `meds`: a dataset of the Medical Event Data Standard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from concept_transfer.events.cohort_settings import Times, Window
from concept_transfer.reporting.words import listing
from concept_transfer.settings.section import Distinct
from concept_transfer.settings.sites import SiteSection
from concept_transfer.sites.adapters import Adapter

COHORTS = ("labels", "aces", "cohort")
Code = Annotated[str, Field(min_length=1)]


class CodeCohort(Times):
    """Who is predicted, when, and what counts as the outcome, by codes."""

    index: Distinct[Code] = Field(
        min_length=1,
        description="Codes of the events that patients enter with; a * at the end is for all codes "
        "that begin so.",
    )
    outcome: Distinct[Code] = Field(min_length=1, description="Codes of the outcome, likewise.")


class MedsSite(SiteSection):
    """Patients in a dataset of the Medical Event Data Standard (MEDS), with labels, a task config
    of ACES, or a cohort by codes."""

    adapter: Literal["meds"]
    path: str = Field(description="Folder of the dataset, with the folders data and metadata.")
    labels: str | None = Field(
        default=None,
        description="Parquet file, or folder of such, in the standard's label schema: who is "
        "predicted, when, and the outcome.",
    )
    aces: str | None = Field(
        default=None,
        description="Instead: a task config of ACES (YAML; needs concept-transfer[meds]).",
    )
    cohort: CodeCohort | None = Field(default=None, description="Instead: a cohort by codes.")
    window: Window = Field(
        default=Window(), description="With labels and aces: what findings are taken from."
    )
    age: str | None = Field(
        default=None, description="The binned concept that holds the years since MEDS_BIRTH."
    )
    crosswalk: str | None = Field(
        default=None,
        description="Crosswalk from codes to concepts; a code that it lacks is the concept of its "
        "name, or that of its parent_codes in the dataset's metadata.",
    )
    unit_column: str | None = Field(
        default="unit",
        description="Extension column with the unit of numeric_value, where the files have it.",
    )
    visit_column: str | None = Field(
        default="visit_id",
        description="Extension column with the visit of an event, where the files have it; in "
        "histories the events of a day are else one visit.",
    )
    units: dict[str, dict[str, Annotated[float, Field(gt=0)]]] = Field(
        default={},
        description="Code or concept -> unit as recorded -> factor to the unit of the bins.",
    )
    max_corrupt: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Largest share of rows that may be unusable and set aside.",
    )

    @property
    def look_back_days(self) -> float | None:
        return (self.cohort or self.window).look_back_days

    @model_validator(mode="after")
    def _one_cohort(self) -> MedsSite:
        given = [key for key in COHORTS if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {listing(list(COHORTS))}")
        if self.cohort is not None and self.window != Window():
            raise ValueError("window goes with labels or aces; a cohort has its own spans of time")
        return self


def _files(site: MedsSite, root: Path) -> list[str]:
    """All files that are there: of the dataset, of labels, of tasks."""
    places = [f"{site.path}/data", f"{site.path}/metadata", site.labels, site.aces, site.crosswalk]
    files = []
    for place in filter(None, places):
        inside = sorted((root / place).rglob("*.parquet"))
        files += [f"{place}/{file.relative_to(root / place).as_posix()}" for file in inside] or (
            [place] if place in (site.labels, site.aces, site.crosswalk) else []
        )
    return files


def _described(site: MedsSite) -> str:
    if site.cohort is not None:
        entered = f"with the event {listing(site.cohort.index)}, predicting"
        cohort = (
            f"{entered} {listing(site.cohort.outcome)} within {site.cohort.horizon_days:g} days"
        )
    else:
        cohort = f"with the labels {site.labels}" if site.labels else f"by the task {site.aces}"
    return f"patients of the dataset {site.path} (Medical Event Data Standard) {cohort}"


MEDS = Adapter(
    settings=MedsSite,
    check="concept_transfer.sites.meds:check_meds",
    read="concept_transfer.sites.meds:read_meds",
    columns="concept_transfer.sites.meds:columns_of",
    numbers="concept_transfer.sites.meds:read_numbers",
    histories="concept_transfer.sites.meds:read_histories",
    files=_files,
    paths=("path", "labels", "aces", "crosswalk"),
    described=_described,
    limitation="Findings are events before the index time by the dataset's own times; what became "
    "known later than its time says is seen too early.",
)
