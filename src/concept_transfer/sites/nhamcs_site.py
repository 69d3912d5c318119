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

_FIRST_STATA_YEAR = 2016  # that is fetched as such
_STATA = "-stata.zip"
_ENDS = (_STATA, ".zip", ".exe", "", ".txt", ".dat")


class NhamcsSite(CodedSite):
    """Emergency-department visits of one census region (NHAMCS public-use files).

    Codes are RFV and the five digits of a reason for visit; for temperature, age and test the
    concept and state of resources/concepts/nhamcs-reasons.tsv, as in ``agegroup:child``. A
    crosswalk maps them where the vocabulary is another one.
    """

    adapter: Literal["nhamcs"]
    path: str = Field(
        description="Folder of the CDC's files: of each year the zipped Stata file "
        "(ed2018-stata.zip) or the ASCII file (ed2018.zip, ed2018.exe, or unpacked ed2018)."
    )
    years: Distinct[int] = Field(min_length=1, description="Survey years to read, from 2010 on.")
    region: Literal["Northeast", "Midwest", "South", "West"] = Field(
        description="Census region of the hospital."
    )
    cohort: Literal["respiratory", "all"] = Field(
        default="respiratory",
        description="Visits with a fever or respiratory reason (10050-10123, 14000-14859), or all.",
    )
    download_from: Address | None = Field(
        default="https://ftp.cdc.gov/pub/Health_Statistics/NCHS/dataset_documentation/nhamcs/stata",
        description="Where missing years from 2016 on are fetched (Stata); null never downloads.",
    )
    download_ascii_from: Address | None = Field(
        default="https://ftp.cdc.gov/pub/Health_Statistics/NCHS/Datasets/NHAMCS",
        description="Where missing years before 2016 are fetched (ASCII); null never downloads.",
    )
    layout: str = Field(
        default="resources/nhamcs/layout.tsv",
        description="TSV that says in which columns of the ASCII files their fields lie.",
    )


def year_file(folder: Path, year: int) -> Path:
    """The file of a year: the one in the folder, in upper or lower case and Stata first, or the
    name it is given when it is fetched."""
    files = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    there = {path.name.lower(): path for path in files}
    names = [f"ed{year}{end}" for end in _ENDS]
    fetched = names[0] if year >= _FIRST_STATA_YEAR else names[1]
    return next((there[name] for name in names if name in there), folder / fetched)


def is_stata(path: Path) -> bool:
    return path.name.lower().endswith(_STATA)


def _files(site: NhamcsSite, root: Path) -> list[str]:
    files = [year_file(root / site.path, year) for year in site.years]
    layout = [] if all(map(is_stata, files)) else [site.layout]
    crosswalk = [site.crosswalk] if site.crosswalk else []
    return [*(f"{site.path}/{file.name}" for file in files), *layout, *crosswalk]


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
    fetch="concept_transfer.sites.nhamcs_files:fetch_file",
    codes="concept_transfer.sites.nhamcs_codes:read_codes",
    files=_files,
    paths=("path", "layout", "crosswalk", "code_descriptions"),
    described=_described,
    limitation="NHAMCS has no patient identifier across visits, so a patient's visits may lie on "
    "both sides of a split; clusters are hospitals within a year. Visits are an unweighted sample, "
    "not national estimates.",
)
