"""Stays in intensive care: a row each, with hospital, length and age."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError, choices
from concept_transfer.sites.eicu_site import EicuSite, table_file
from concept_transfer.sites.eicu_tables import STAY, read_frame

if TYPE_CHECKING:
    import pandas as pd

AGE, SEX = "age", "sex"
MINUTES = 60  # of an hour
_OLDEST = re.compile(r"> ?(\d+)")


def read_stays(folder: Path) -> pd.DataFrame:
    """All stays, as text, with the `region` of the hospital, `minutes` (the length of the stay in
    the unit), and a row each. Raises StudyError naming file, row and column."""
    path = table_file(folder, "patient")
    stays, hospitals = read_frame(folder, "patient"), read_frame(folder, "hospital")
    for column in (STAY, "uniquepid"):
        refuse(path, column, stays[column] == "", "is empty; every stay needs one")
    twice = "is there twice; a stay has one row"
    refuse(path, STAY, stays[STAY].duplicated(), twice)
    where = table_file(folder, "hospital")
    refuse(
        where, "hospitalid", hospitals["hospitalid"].duplicated(), twice.replace("stay", "hospital")
    )
    minutes = numbers_of(stays["unitdischargeoffset"])
    problem = "is no number of minutes since unit admission"
    refuse(path, "unitdischargeoffset", np.isnan(minutes), problem)
    region = stays["hospitalid"].map(hospitals.set_index("hospitalid")["region"])
    return stays.assign(minutes=minutes, region=region)


def refuse(path: Path, column: str, bad: pd.Series[bool] | NDArray[np.bool_], problem: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        raise StudyError(
            f"{path}, row {rows[0] + 1}, column '{column}': the value {problem}; "
            f"{len(rows)} row(s) are affected"
        )


def at_site(site: EicuSite, stays: pd.DataFrame, folder: Path) -> pd.Series[bool]:
    """Which stays are in the region, or at the hospitals, of the site. Raises StudyError for a
    hospital without a stay."""
    if site.region:
        return stays["region"] == site.region
    if unknown := set(map(str, site.hospitals)) - set(stays["hospitalid"]):
        raise StudyError(
            f"hospitals: no stay of {table_file(folder, 'patient')} is at {choices(unknown)}"
        )
    return stays["hospitalid"].isin(map(str, site.hospitals))


def ages_of(stays: pd.DataFrame) -> NDArray[np.float64]:
    """Years, NaN where unknown; "> 89", as the database has it, is 90."""
    return numbers_of(stays["age"].str.replace(_OLDEST, lambda m: str(int(m[1]) + 1), regex=True))


def numbers_of(texts: pd.Series[str]) -> NDArray[np.float64]:
    import pandas as pd

    return np.asarray(pd.to_numeric(texts, errors="coerce"), np.float64)
