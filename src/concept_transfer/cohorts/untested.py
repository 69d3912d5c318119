"""Who never tests, so that an encoder may learn from their records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splits import Split
from concept_transfer.errors import StudyError


def read_cohorts(
    encounters: Iterable[str], splits: Iterable[str]
) -> dict[str, tuple[Encounters, Split]]:
    """Site -> its encounters and their split, of files ``encounters/<site>/encounters.parquet`` and
    ``splits/<site>.parquet`` in the same order."""
    pairs = zip(map(Path, encounters), map(Path, splits), strict=True)
    return {
        split.stem: (Encounters.read(cohort.parent), Split.read(split)) for cohort, split in pairs
    }


def never_test(
    patients: NDArray[np.object_],
    site: str,
    cohorts: Mapping[str, tuple[Encounters, Split]],
    shared_identifiers: bool,
) -> NDArray[np.bool_]:
    """Which of the patients of a site, by their identifiers, test in no split, bool [n].

    cohorts: site -> encounters and their split, of the site at least, and of all sites of the study
    where identifiers are shared, so that who tests at any of them is found. Patients without an
    encounter never test. Raises StudyError where it is not known whose an encounter is.
    """
    testing = [
        _testing(name, *cohort)
        for name, cohort in cohorts.items()
        if name == site or shared_identifiers
    ]
    return ~np.isin(patients.astype(str), np.concatenate(testing))


def _testing(site: str, encounters: Encounters, split: Split) -> NDArray[np.str_]:
    """The patients of a site with an encounter that tests."""
    patients = encounters.table.column("patient")
    if not split.table.column("encounter").equals(encounters.table.column("encounter")):
        raise StudyError(
            f"the split of site {site} ({len(split)} rows) is not that of its {len(encounters)} "
            "encounters; delete the split and run again"
        )
    if patients.null_count:
        raise StudyError(
            f"site {site}: {patients.null_count} encounter(s) have no patient, so records of those "
            "who test cannot be kept from pre-training; name the patients, or another site"
        )
    return np.asarray(patients.to_numpy()[split.fold >= 0].astype(str))
