"""A site as training sees it: memory-mapped findings and its split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.sites.encounters import read_arrays
from concept_transfer.sites.splits import Split


@dataclass(frozen=True)
class Site:
    """Arrays of one site in the row order of its encounters, and how they are divided."""

    name: str
    offsets: NDArray[np.int64]
    tokens: NDArray[np.int32]
    labels: NDArray[np.int8]
    split: Split

    @classmethod
    def read(cls, encounters: Path, split: Path) -> Site:
        offsets, tokens, labels = read_arrays(encounters)
        rows = Split.read(split)
        if len(rows.encounter) != len(labels):
            raise StudyError(
                f"{split} has {len(rows.encounter)} rows, but {encounters} holds {len(labels)} "
                "encounters; delete the split and run again"
            )
        return cls(encounters.name, offsets, tokens, labels, rows)
