"""Patients' events in the order of time, as an adapter makes them of a site, and their folders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import History, check, read, write
from concept_transfer.private import private

PATIENTS, REPORT = "patients.parquet", "history_report.json"


@dataclass(frozen=True)
class Histories:
    """cohort: what was recorded of each encounter's patient before its index time; patients: the
    whole record of everybody in the dataset, until the last event; patient_ids: string array, whose
    each of these records is."""

    cohort: History
    patients: History
    patient_ids: pa.Array

    def report(self) -> dict[str, Any]:
        """How many codes and events there are, and of how many encounters none with a time."""
        return {
            "codes": len(self.cohort.names),
            "encounters": _events(self.cohort),
            "patients": _events(self.patients),
        }

    def write(self, encounters: Path, timelines: Path) -> None:
        """Check, and write the files of the cohort's histories to ``encounters/<site>/``, beside
        its report, and those of whole records to ``timelines/<site>/`` (see docs/contracts.md)."""
        where = f"site {encounters.name}"
        check(self.cohort, len(self.cohort), None, where)
        check(self.patients, len(self.patient_ids), None, where)
        with private(encounters, "encounters"):
            write(encounters, self.cohort, None, None)
            text = json.dumps(self.report(), indent=2) + "\n"
            (encounters / REPORT).write_text(text, encoding="utf-8")
        with private(timelines, "timelines"):
            write(timelines, self.patients, None, None)
            pq.write_table(pa.table({"patient": self.patient_ids}), timelines / PATIENTS)


def read_timelines(folder: Path) -> tuple[History, NDArray[np.object_]]:
    """The whole records in ``timelines/<site>/``, memory-mapped, and the patient of each, str
    objects [n]. Raises StudyError naming the folder."""
    history = read(folder)
    try:
        ids = pq.ParquetFile(folder / PATIENTS).read(["patient"])["patient"]
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise StudyError(
            f"{folder / PATIENTS} is no readable list of patients ({type(error).__name__}); delete "
            "the folder and let the workflow write it again"
        ) from None
    if len(ids) != len(history):
        raise StudyError(
            f"{folder}: {PATIENTS} ({len(ids)} patients) and history_offsets.npy ({len(history)}) "
            "do not belong together; delete the folder and let the workflow write it again"
        )
    return history, np.asarray(ids.to_numpy(), dtype=object)


def _events(history: History) -> dict[str, Any]:
    """Of the events of each row that have a time, without those rows that have none."""
    dated = history.dated
    some = dated[dated > 0]
    spread = {"fewest": some.min(), "median": np.median(some), "most": some.max()}
    return {
        "rows": len(history),
        "without_events": int((dated == 0).sum()),
        "events": int(dated.sum()),
        **{name: float(value) for name, value in spread.items() if len(some)},
    }
