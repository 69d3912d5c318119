"""A site as training sees it: its cohort, and the inputs that a learner reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import Split
from concept_transfer.errors import StudyError
from concept_transfer.inputs.registry import INPUTS


@dataclass(frozen=True)
class Site:
    """A cohort, and inputs by name; every input has the cohort's rows in their order."""

    cohort: Cohort
    inputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.cohort.name

    @property
    def labels(self) -> NDArray[np.int8]:
        return self.cohort.labels

    @property
    def split(self) -> Split:
        return self.cohort.split

    @classmethod
    def read(
        cls,
        encounters: Path,
        split: Path,
        inputs: Sequence[str] = ("findings",),
        balanced: bool = False,
        drawn_as: str = "",
    ) -> Site:
        """From the folder ``encounters/<site>`` and the site's split; arrays are memory-mapped."""
        cohort = Cohort.read(encounters, split, balanced, drawn_as)
        return cls(cohort, read_inputs(encounters, len(cohort), inputs))


def read_inputs(encounters: Path, count: int, names: Sequence[str]) -> dict[str, Any]:
    """The named inputs of a site with `count` encounters.

    Raises StudyError where an input has another number of rows.
    """
    values = {name: INPUTS[name].read(encounters) for name in names}
    for name, value in values.items():
        if len(value) != count:
            raise StudyError(
                f"{encounters}: {' and '.join(INPUTS[name].arrays)} ({len(value)} encounters) and "
                f"labels.npy ({count}) do not belong together; delete the folder and let the "
                "workflow write it again"
            )
    return values
