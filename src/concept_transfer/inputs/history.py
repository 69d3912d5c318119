"""The input `history`: all coded events of a patient before the index time, in order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from concept_transfer.inputs.rows import CompressedRows

BACKGROUND = 0  # number of the visit of what has no time


@dataclass(frozen=True)
class History:
    """n timelines; row i is what was recorded until the i-th index time. The arrays may be
    memory-mapped.

    codes: numbers of codes (places in `names`), background first, then in the order of time, as
    often as they were recorded; visits: int32 [values], the number of each event's visit, from 1,
    `BACKGROUND` for what has no time (sex, race); days: float32 [values], from the event to the
    index time, NaN for background; ages: float32 [values], years at the event, NaN where unknown;
    index_days: float64 [n], the index time in days since 2000-01-01; names: the site's codes.
    """

    codes: CompressedRows
    visits: NDArray[np.int32]
    days: NDArray[np.float32]
    ages: NDArray[np.float32]
    index_days: NDArray[np.float64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def select(self, rows: NDArray[np.int64]) -> History:
        """The given rows, in their order."""
        places = self.codes.places(rows)
        return replace(
            self,
            codes=self.codes.select(rows),
            visits=np.asarray(self.visits[places]),
            days=np.asarray(self.days[places]),
            ages=np.asarray(self.ages[places]),
            index_days=np.asarray(self.index_days[rows]),
        )
