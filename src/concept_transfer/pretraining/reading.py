"""What pre-training reads of a study: histories, and which of their rows it may learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splits import Split
from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import History
from concept_transfer.inputs.registry import INPUTS

TIMELINES, PATIENTS = "timelines", "patients.parquet"

Untested = Callable[[NDArray[np.object_], str], NDArray[np.bool_]]


def read_cohorts(
    encounters: Iterable[str], splits: Iterable[str]
) -> dict[str, tuple[Encounters, Split]]:
    """Site -> its encounters and their split, of files ``encounters/<site>/encounters.parquet`` and
    ``splits/<site>.parquet`` in the same order."""
    pairs = zip(map(Path, encounters), map(Path, splits), strict=True)
    return {
        split.stem: (Encounters.read(cohort.parent), Split.read(split)) for cohort, split in pairs
    }


def read_histories(
    files: Iterable[str], cohorts: Mapping[str, tuple[Encounters, Split]], untested: Untested
) -> tuple[list[History], list[NDArray[np.bool_]]]:
    """Histories, memory-mapped, and for each which rows may be learned from, bool [n].

    files: of folders ``timelines/<site>``, a row a patient, and ``encounters/<site>``, a row an
    encounter, each site in one of the two. untested: (patients, site) -> which of them test
    nowhere, bool [n].

    Raises StudyError where a table of patients and its histories differ in length.
    """
    histories, masks = [], []
    for folder in dict.fromkeys(Path(file).parent for file in files):
        history: History = INPUTS["history"].read(folder)
        if folder.parent.name == TIMELINES:
            column = pq.read_table(folder / PATIENTS, columns=["patient"])["patient"]
        else:
            column = cohorts[folder.name][0].table.column("patient")
        if len(column) != len(history):
            raise StudyError(
                f"{folder}: there are {len(history)} histories, but {len(column)} whose they are; "
                "delete the folder and let the workflow write it again"
            )
        histories.append(history)
        masks.append(untested(column.to_numpy(), folder.name))
    return histories, masks
