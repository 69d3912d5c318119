"""What pre-training reads of a study: histories, and which of their rows it may learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splits import Split
from concept_transfer.cohorts.untested import never_test
from concept_transfer.inputs.history import History
from concept_transfer.sites.histories import read_timelines
from concept_transfer.sites.site import read_inputs

TIMELINES = "timelines"


def read_histories(
    files: Iterable[str],
    cohorts: Mapping[str, tuple[Encounters, Split]],
    shared_identifiers: bool,
) -> tuple[list[History], list[NDArray[np.bool_]], list[NDArray[np.int64]] | None]:
    """Histories, memory-mapped; for each which rows may be learned from, bool [n], those of
    patients who never test, the newest of each; and whose each row is, int64 [n], where several
    may be of one person.

    files: of folders ``timelines/<site>``, a row a patient, and ``encounters/<site>``, a row an
    encounter, each site in one of the two; cohorts, shared_identifiers: as `never_test`.

    Raises StudyError where files do not belong together, or it is not known whose encounters are.
    """
    histories, masks, names = [], [], []
    for folder in dict.fromkeys(Path(file).parent for file in files):
        if folder.parent.name == TIMELINES:
            history, patients = read_timelines(folder)
        else:
            table = cohorts[folder.name][0].table
            patients = np.asarray(table.column("patient").to_numpy(), dtype=object)
            history = read_inputs(folder, len(table), ["history"])["history"]
        histories.append(history)
        names.append(patients.astype(str))
        untested = never_test(patients, folder.name, cohorts, shared_identifiers)
        masks.append(untested & newest_of_each(patients, history.index_days))
    if not shared_identifiers or len(names) == 1:
        return histories, masks, None
    _, numbers = np.unique(np.concatenate(names), return_inverse=True)
    return histories, masks, np.split(numbers, np.cumsum([len(own) for own in names[:-1]]))


def newest_of_each(
    patients: NDArray[np.object_], index_days: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which rows are the newest of their patient, bool [n]: one of each, so that whoever has
    several index times counts once, and is on one side of any division.

    >>> patients = np.array(["p", "q", "p"], dtype=object)
    >>> newest_of_each(patients, np.array([9.0, 5.0, 7.0])).tolist()
    [True, True, False]
    """
    _, whose = np.unique(patients.astype(str), return_inverse=True)
    order = np.lexsort((index_days, whose))
    last = np.diff(whose[order], append=-1) != 0
    newest = np.zeros(len(patients), bool)
    newest[order[last]] = True
    return newest
