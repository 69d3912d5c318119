"""A cohort as budgets, predictions and evaluation see it: names and outcomes, no input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import read_labels
from concept_transfer.cohorts.splits import Split
from concept_transfer.errors import StudyError


@dataclass(frozen=True)
class Cohort:
    """The encounters of one site: the site's name, the class of each (int8 [n], from 0), how they
    are divided, whether draws of its labels hold as many of each class, and the site by whose name
    they are drawn (`cohorts.budget`; "": its own), another one that has the same encounters."""

    name: str
    labels: NDArray[np.int8]
    split: Split
    balanced: bool = False
    drawn_as: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def class_counts(self) -> NDArray[np.int64]:
        """Encounters of each class, up to the last that occurs, int64 [2 or more]."""
        return np.bincount(self.labels, minlength=2)

    @classmethod
    def read(
        cls, encounters: Path, split: Path, balanced: bool = False, drawn_as: str = ""
    ) -> Cohort:
        """From the folder ``encounters/<site>`` and the site's split; labels are memory-mapped."""
        labels, rows = read_labels(encounters), Split.read(split)
        if len(rows) != len(labels):
            raise StudyError(
                f"{split} has {len(rows)} rows, but {encounters} holds {len(labels)} encounters; "
                "delete the split and run again"
            )
        return cls(encounters.name, labels, rows, balanced, drawn_as)
