"""Diagnoses of NHAMCS visits, which are written at their end and are no findings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.nhamcs_files import DIAGNOSES, SEX, read_year
from concept_transfer.sites.nhamcs_site import NhamcsSite
from concept_transfer.sites.recorded_codes import RecordedCodes

NO_DIAGNOSIS = "ZZZ"  # illegible, left before being seen, none
SEXES = {1: "female", 2: "male"}


def read_codes(site: NhamcsSite, encounters: Encounters, task: Task, root: Path) -> RecordedCodes:
    """Diagnoses of the encounters that `read_nhamcs` made, with age and sex (unknown in files whose
    layout does not say where it lies). Raises StudyError where the files are others."""
    import pandas as pd

    visits = pd.concat([read_year(site, year, root) for year in site.years], ignore_index=True)
    ids = visits["YEAR"].astype(str) + "-" + visits["ROW"].astype(str)
    visits = visits.set_index(pd.Index(ids))
    wanted = encounters.table.column("encounter").to_pylist()
    if not pd.Index(wanted).isin(visits.index).all():
        raise StudyError(
            f"path: the files of {site.path} lack visits that encounters were made of; let the "
            "workflow make these again"
        )
    visits = visits.loc[wanted]
    rows, codes = [], []
    for name in DIAGNOSES:
        if name in visits:
            text = visits[name].astype(str).str.strip().to_numpy(dtype=np.str_)
            there = np.flatnonzero(
                (np.char.str_len(text) > 1)
                & ~np.char.startswith(text, "-")
                & ~np.char.startswith(text, NO_DIAGNOSIS)
                & (text != "nan")
            )
            rows.append(there)
            codes.append(text[there])
    sexes = visits[SEX].map(SEXES).fillna("") if SEX in visits else [""] * len(visits)
    return RecordedCodes(
        np.concatenate(rows),
        np.concatenate(codes),
        visits["AGE"].to_numpy(float),
        np.array(list(sexes), dtype=np.str_),
    )
