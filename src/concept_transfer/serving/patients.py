"""Patients to be predicted of a dataset of events, as the histories that models read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from concept_transfer.errors import StudyError, choices
from concept_transfer.inputs.history import History
from concept_transfer.sites.meds import read_patients
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.study_file import read_study


@dataclass(frozen=True)
class Patients:
    """Ids (strings [n]), what was recorded of each until the time of the prediction, and reason ->
    how many of the times that were asked for are left out."""

    ids: pa.Array
    history: History
    left_out: Mapping[str, int]

    @classmethod
    def read(
        cls, folder: Path, times: Path | None, config: str | None, site: str | None
    ) -> Patients:
        """Of a MEDS dataset, see `sites.meds.read_patients`; config, site: a study whose site says
        the dataset's columns and how far models look back. Raises StudyError."""
        section = dataset_of(config, site).model_copy(update={"path": str(folder)})
        return cls(*read_patients(section, times, Path.cwd()))

    @property
    def without(self) -> int:
        """How many have no event with a time."""
        return int((self.history.dated == 0).sum())


def dataset_of(config: str | None, site: str | None) -> MedsSite:
    """The MEDS site of a study's config, or one with the usual columns that looks back to the
    first event."""
    if config is None and site is None:
        return MedsSite.model_construct(adapter="meds")
    if config is None or site is None:
        raise StudyError("--config and --site go together: a study, and one of its MEDS sites")
    sites = read_study(Path(config)).sites
    known = {name: entry for name, entry in sites.items() if isinstance(entry, MedsSite)}
    if site not in known:
        raise StudyError(
            f"--site: {config} has no MEDS site '{site}'; its MEDS sites are "
            f"{choices(known) or 'none'}"
        )
    return known[site]
