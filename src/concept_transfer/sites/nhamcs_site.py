"""The adapter `nhamcs`: emergency-department visits of a US census region."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from concept_transfer.reporting.words import listing
from concept_transfer.settings.addresses import Address
from concept_transfer.settings.section import Distinct
from concept_transfer.settings.sites import CodedSite
from concept_transfer.sites.adapters import Adapter


class NhamcsSite(CodedSite):
    """Emergency-department visits of one census region (NHAMCS public-use Stata files).

    Codes are RFV and the five digits of a reason for visit; for temperature, age and test the
    concept and state of resources/concepts/nhamcs-reasons.tsv, as in ``agegroup:child``. A
    crosswalk maps them where the vocabulary is another one.
    """

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


def year_file(folder: Path, year: int) -> Path:
    """The zipped Stata file of a year: the one in the folder, in upper or lower case, or the
    name it is given when it is fetched."""
    name = f"ed{year}-stata.zip"
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.name.lower() == name:
                return path
    return folder / name


def _files(site: NhamcsSite, root: Path) -> list[str]:
    years = [f"{site.path}/{year_file(root / site.path, year).name}" for year in site.years]
    return [*years, *([site.crosswalk] if site.crosswalk else [])]


def _described(site: NhamcsSite) -> str:
    cohort = "with a fever or respiratory reason " if site.cohort == "respiratory" else ""
    years = listing([str(year) for year in site.years])
    return (
        f"emergency-department visits {cohort}in the {site.region} of the United States, NHAMCS "
        f"public-use files of {years}"
    )


NHAMCS = Adapter(
    settings=NhamcsSite,
    check="concept_transfer.sites.nhamcs:check_nhamcs",
    read="concept_transfer.sites.nhamcs:read_nhamcs",
    fetch="concept_transfer.sites.nhamcs:fetch_file",
    files=_files,
    paths=("path", "crosswalk", "code_descriptions"),
    described=_described,
    limitation="NHAMCS has no patient identifier across visits, so a patient's visits may lie on "
    "both sides of a split; clusters are hospitals within a year. Visits are an unweighted sample, "
    "not national estimates.",
)
