"""Files of NHAMCS emergency-department visits, one a survey year: zipped Stata, or ASCII."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from concept_transfer.errors import StudyError
from concept_transfer.paths import resolve
from concept_transfer.sites.download import fetch
from concept_transfer.sites.nhamcs_layout import fixed_width, read_layout
from concept_transfer.sites.nhamcs_site import NhamcsSite, is_stata, year_file

if TYPE_CHECKING:
    import pandas as pd

REASONS = tuple(f"RFV{i}" for i in range(1, 6))
DIAGNOSES = tuple(f"DIAG{i}" for i in range(1, 6))
FLU_TEST = "FLUTEST"
SEX = "SEX"
REQUIRED = ("VMONTH", "REGION", "HOSPCODE", "AGE", "TEMPF", "RFV1", "DIAG1")


def fetch_file(site: NhamcsSite, file: str, root: Path) -> Path:
    """One of the site's files, by its name (StudyError)."""
    year = re.search(r"ed(\d{4})", Path(file).name, re.IGNORECASE)
    assert year, f"{file} is no file of an NHAMCS site"
    return fetch_year(site, int(year[1]), root)


def fetch_year(site: NhamcsSite, year: int, root: Path) -> Path:
    """The file of a year, fetched if the folder lacks it and the config says from where
    (StudyError)."""
    path = year_file(resolve(site.path, root), year)
    if not path.is_file():
        base = _address(site, path)
        if base is None:
            raise _missing(path, year)
        ends = ("-stata.zip",) if is_stata(path) else (".zip", ".exe")
        names = [f"{ed}{year}{end}" for end in ends for ed in ("ed", "ED")]
        fetch([f"{base.rstrip('/')}/{name}" for name in names], path)
    return path


def check_year(site: NhamcsSite, year: int, root: Path) -> None:
    """Raise StudyError if the file of a year is not there and cannot be fetched, or nothing says
    where its fields lie."""
    path = year_file(resolve(site.path, root), year)
    if not path.is_file() and _address(site, path) is None:
        raise _missing(path, year)
    if not is_stata(path):
        read_layout(resolve(site.layout, root), year, REQUIRED)


def read_year(site: NhamcsSite, year: int, root: Path) -> pd.DataFrame:
    """The columns the adapter uses, in upper case, with YEAR and ROW (from 1); StudyError."""
    path = year_file(resolve(site.path, root), year)
    if not path.is_file():
        raise _missing(path, year)
    layout = resolve(site.layout, root)
    frame = _stata(path, year) if is_stata(path) else _ascii(path, year, layout)
    return frame.assign(YEAR=year, ROW=np.arange(1, len(frame) + 1))


def _address(site: NhamcsSite, path: Path) -> str | None:
    return site.download_from if is_stata(path) else site.download_ascii_from


def _stata(path: Path, year: int) -> pd.DataFrame:
    import pandas as pd

    try:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.lower().endswith(".dta"))
            with (
                archive.open(member) as file,
                pd.read_stata(file, iterator=True, convert_categoricals=False) as reader,
            ):
                wanted = {*REQUIRED, *REASONS, *DIAGNOSES, FLU_TEST, SEX}
                names = {n.upper(): n for n in reader.variable_labels() if n.upper() in wanted}
                missing = [column for column in REQUIRED if column not in names]
                if missing:
                    raise StudyError(
                        f"{path} lacks the column(s) {', '.join(missing)}; it must be the "
                        f"emergency-department file of {year}"
                    )
                # pandas-stubs do not know what a reader inherits
                frame: pd.DataFrame = reader.read(columns=list(names.values()))  # type: ignore[attr-defined]
    except (zipfile.BadZipFile, StopIteration, ValueError) as error:
        raise StudyError(
            f"{path} is not the CDC's zipped Stata file of {year} ({error or 'no .dta inside'}); "
            "delete it and fetch it again"
        ) from None
    frame.columns = frame.columns.str.upper()
    return frame


def _ascii(path: Path, year: int, layout: Path) -> pd.DataFrame:
    import pandas as pd

    wanted = {"YEAR", *REQUIRED, *REASONS, *DIAGNOSES, FLU_TEST, SEX}
    places = read_layout(layout, year, REQUIRED)
    fields = {name: field for name, field in places.items() if name in wanted}
    text = _text(path, year)
    return pd.DataFrame(fixed_width(text, fields, DIAGNOSES, year, str(path)))


def _text(path: Path, year: int) -> str:
    """All lines of an ASCII file: of the largest member, if it is an archive (.zip, .exe)."""
    if path.suffix.lower() not in (".zip", ".exe"):
        return path.read_text(encoding="latin-1")
    try:
        with zipfile.ZipFile(path) as archive:
            member = max(archive.infolist(), key=lambda member: member.file_size)
            return archive.read(member).decode("latin-1")
    # NotImplementedError: packed in a way that zipfile cannot unpack
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise StudyError(
            f"{path} is not the CDC's zipped ASCII file of {year} ({error}); delete it and fetch "
            f"it again, or unpack it, as ed{year}, in its place"
        ) from None


def _missing(path: Path, year: int) -> StudyError:
    return StudyError(
        f"{path} does not exist; put the CDC's zipped Stata file of {year} there "
        f"(ed{year}-stata.zip, in upper or lower case) or its ASCII file (ed{year}.zip, or "
        f"unpacked ed{year}), or give 'download_{'' if is_stata(path) else 'ascii_'}from'"
    )
