"""The adapter `eicu`: intensive-care stays of a US region or of some hospitals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from concept_transfer.reporting.words import listing
from concept_transfer.settings.section import Distinct
from concept_transfer.settings.sites import CodedSite
from concept_transfer.sites.adapters import Adapter


@dataclass(frozen=True)
class Recorded:
    """A table of what was recorded at stays: its file, the column of the minutes since unit
    admission, and that of the code; `prefix` is what every code begins with, before `separator`
    divides it into the steps of its path ("" if it is no path)."""

    file: str
    minutes: str
    code: str
    separator: str
    prefix: str = ""


TABLES = {
    "diagnosis": Recorded("diagnosis", "diagnosisoffset", "diagnosisstring", "|"),
    "past history": Recorded(
        "pastHistory",
        "pasthistoryenteredoffset",
        "pasthistorypath",
        "/",
        "notes/Progress Notes/Past History/",
    ),
    "physical exam": Recorded(
        "physicalExam",
        "physicalexamoffset",
        "physicalexampath",
        "/",
        "notes/Progress Notes/Physical Exam/",
    ),
    "admission diagnosis": Recorded(
        "admissionDx", "admitdxenteredoffset", "admitdxpath", "|", "admission diagnosis|"
    ),
    "treatment": Recorded("treatment", "treatmentoffset", "treatmentstring", "|"),
    "medication": Recorded("medication", "drugorderoffset", "drugname", ""),
    "lab": Recorded("lab", "labresultoffset", "labname", ""),
}
Table = Literal[
    "diagnosis",
    "past history",
    "physical exam",
    "admission diagnosis",
    "treatment",
    "medication",
    "lab",
]
DEFAULT: list[Table] = ["diagnosis", "past history", "physical exam", "admission diagnosis"]


class EicuSite(CodedSite):
    """Intensive-care stays of the eICU Collaborative Research Database, or of its demo.

    Codes are a table's name and the steps of a path, as in ``diagnosis|renal|failure``. A code that
    the crosswalk does not know is the concept of its name or of the beginning of its path.
    """

    adapter: Literal["eicu"]
    path: str = Field(description="Folder of the database's files (.csv.gz, or unpacked .csv).")
    region: Literal["Midwest", "Northeast", "South", "West"] | None = Field(
        default=None, description="Region of the hospital."
    )
    hospitals: Distinct[int] = Field(default=[], description="Ids of hospitals, instead of region.")
    after_hours: float = Field(
        default=24,
        gt=0,
        description="The index time, in hours after unit admission: what was recorded before it is "
        "known, and stays that end before it are left out.",
    )
    tables: Annotated[Distinct[Table], Field(min_length=1)] = Field(
        default=DEFAULT, description="The tables that findings and histories come from."
    )

    @model_validator(mode="after")
    def _one_choice_of_hospitals(self) -> EicuSite:
        if (self.region is None) == (not self.hospitals):
            raise ValueError("give either 'region' or 'hospitals'")
        return self


def table_file(folder: Path, name: str) -> Path:
    """A table's file in the folder, packed or not and in upper or lower case; else the name that
    PhysioNet gives it."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    there = {path.name.lower(): path for path in files}
    names = [f"{name.lower()}{end}" for end in (".csv.gz", ".csv")]
    return next((there[name] for name in names if name in there), folder / f"{name}.csv.gz")


def file_names(site: EicuSite) -> list[str]:
    """The tables that a site needs, without their endings; admission diagnoses and diagnoses also
    tell who has an outcome."""
    own = [TABLES[name].file for name in site.tables]
    return list(dict.fromkeys(["patient", "hospital", "diagnosis", "admissionDx", *own]))


def _files(site: EicuSite, root: Path) -> list[str]:
    names = [table_file(root / site.path, name).name for name in file_names(site)]
    crosswalk = [site.crosswalk] if site.crosswalk else []
    return [*(f"{site.path}/{name}" for name in names), *crosswalk]


def _described(site: EicuSite) -> str:
    where = (
        f"in the {site.region} of the United States"
        if site.region
        else f"at hospital {listing([str(hospital) for hospital in site.hospitals])}"
    )
    return (
        f"intensive-care stays of {site.after_hours:g} hours or more {where}, eICU Collaborative "
        f"Research Database; findings are what was recorded ({listing(list(site.tables))}) in the "
        f"first {site.after_hours:g} hours"
    )


EICU = Adapter(
    settings=EicuSite,
    check="concept_transfer.sites.eicu:check_eicu",
    read="concept_transfer.sites.eicu:read_eicu",
    histories="concept_transfer.sites.eicu_histories:read_histories",
    files=_files,
    paths=("path", "crosswalk", "code_descriptions"),
    described=_described,
    limitation="eICU has no dates but the year of discharge from hospital, which stands for a "
    "stay's time. Stays that ended before the index time are left out, so results hold for those "
    "who are still in the unit then. A patient has several stays, which are never divided.",
)
