"""The models of a bundle, ready to say how probable the outcome of an encounter is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import SCHEMA, Split
from concept_transfer.errors import StudyError, choices
from concept_transfer.inputs.history import History
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Models
from concept_transfer.models.bundle import Bundle, read_bundle
from concept_transfer.serving.calibration import usable_recalibrations
from concept_transfer.settings.task import Task
from concept_transfer.sites.site import Site
from concept_transfer.training.predictions import OK
from concept_transfer.training.reading import family_of


@dataclass(frozen=True)
class Scorer:
    """A bundle, and its learner at work on its models."""

    bundle: Bundle
    task: Task
    family: Models
    models: Any

    @classmethod
    def read(cls, folder: Path) -> Scorer:
        """Raises StudyError for a bundle that is damaged, holds no model, or is of a learner that
        is not installed."""
        bundle = read_bundle(folder)
        card = bundle.card
        kind = card.learner["kind"]
        if kind not in LEARNERS:
            raise StudyError(
                f"{folder} is of the learner '{kind}', which is not installed here; installed are "
                f"{choices(LEARNERS)}"
            )
        if not any(record["status"] == OK for record in card.replicates):
            status = choices({record["status"] for record in card.replicates})
            raise StudyError(f"{folder} holds no model: its replicates are {status}")
        family = family_of(bundle, threads=card.threads)
        task = Task(label=card.label, **card.task)
        return cls(bundle, task, family, family.read(folder))

    @property
    def reads(self) -> str:
        """The input of encounters that the learner reads."""
        return LEARNERS[self.bundle.card.learner["kind"]].reads

    @property
    def replicates(self) -> list[int]:
        """Their numbers in the study."""
        return [record["replicate"] for record in self.bundle.card.replicates]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which of them have a model, bool [R]."""
        return np.array([record["status"] == OK for record in self.bundle.card.replicates])

    def probabilities(self, recorded: CompressedRows | History) -> NDArray[np.float32]:
        """Of every class, by each replicate's model, [R, n, classes]; NaN of those that diverged.

        recorded: n rows of the input that the learner `reads`. Of findings they are the numbers
        that the study's predictions hold, whichever encounters come together; of histories up to
        float32 rounding: an encoder pads them to the longest of a batch.
        """
        site = Site(_nobody(len(recorded)), {self.reads: recorded})
        found = self.family.predict(self.models, site, np.arange(len(recorded)))
        found[~self.usable] = np.nan
        return found.astype(np.float32)

    @property
    def nothing(self) -> NDArray[np.float32]:
        """The probabilities of no encounter."""
        return np.empty((len(self.replicates), 0, len(self.bundle.card.classes)), np.float32)

    def mean(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Over the replicates that have a model, [n, classes], of `probabilities`."""
        mean: NDArray[np.float64] = raw[self.usable].mean(axis=0, dtype=np.float64)
        return mean.astype(np.float32)

    def calibrated(self, raw: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The mean of what the models say after their recalibration, [n, classes]; None unless the
        card has that of each."""
        changes = usable_recalibrations(self.bundle.card)
        if changes is None:
            return None
        pairs = zip(changes, raw[self.usable], strict=True)
        each = [change(own.astype(np.float64)) for change, own in pairs]
        return np.asarray(np.mean(each, axis=0), np.float32)


def _nobody(count: int) -> Cohort:
    """The cohort of encounters whose outcomes nobody knows."""
    return Cohort("", np.zeros(count, np.int8), Split(pa.Table.from_pylist([], SCHEMA)))
