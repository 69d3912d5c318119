"""Patients whose outcome nobody knows: who is predicted, when, and what was recorded before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from duckdb import DuckDBPyConnection

from concept_transfer.events.cohort import by_labels, encounters_of
from concept_transfer.events.cohort_settings import Window
from concept_transfer.events.histories import OWN, check_any, cohort_histories
from concept_transfer.events.meds.labels import read_times
from concept_transfer.inputs.history import History

AT_ONCE = 20_000  # patients


@dataclass(frozen=True)
class Asked:
    """Patients in a connection: left_out: reason -> how many of the times are left out; ids:
    ``<patient>@<time>``, strings [n]; is_before: whether events at the time itself are none."""

    db: DuckDBPyConnection
    left_out: Mapping[str, int]
    ids: pa.Array
    is_before: bool

    @classmethod
    def of(cls, db: DuckDBPyConnection, times: Path | None, window: Window) -> Asked:
        """From ``events``, ``observed`` (a row a patient) and ``births``.

        times: in the label schema of MEDS, whom to predict and when, from events before; None:
        everybody at the last event, which then is in the history. Raises StudyError.
        """
        if times is None:
            _at_last_events(db)
        else:
            read_times(db, times)
        left_out = by_labels(db, window)
        ids = encounters_of(db).table["encounter"].combine_chunks()
        return cls(db, left_out, ids, times is not None)

    def histories(self, at_once: int = AT_ONCE) -> Iterator[tuple[pa.Array, History]]:
        """Ids and histories, of so many patients at a time. Raises StudyError, of the first part,
        where nobody in it has an event with a time."""
        for start in range(0, len(self.ids), at_once):
            rows = range(start, min(start + at_once, len(self.ids)))
            history = cohort_histories(self.db, self.is_before, rows)
            if not start:
                check_any(history)
            yield self.ids.slice(start, len(rows)), history


def _at_last_events(db: DuckDBPyConnection) -> None:
    """Make ``labels`` (patient, time, label): of class 0, each patient at the last event."""
    db.execute(
        "CREATE OR REPLACE TEMP TABLE labels AS SELECT patient, max(time) AS time, "
        f"0::TINYINT AS label FROM events WHERE time IS NOT NULL AND {OWN} GROUP BY patient"
    )
