"""Histories whose codes are dealt anew among patients: a control that keeps all but their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from concept_transfer.inputs.history import BACKGROUND, History
from concept_transfer.inputs.rows import CompressedRows


def shuffled(history: History, rows: NDArray[np.bool_], generator: np.random.Generator) -> History:
    """The events of the given rows, bool [n], exchange their codes at random.

    Lengths, visits, times and ages stay, and so does what has no time: each code is as frequent
    as before, and tells nothing of its neighbours.
    """
    dealt = np.repeat(rows, history.codes.lengths) & (history.visits != BACKGROUND)
    values = np.array(history.codes.values)
    values[dealt] = generator.permutation(values[dealt])
    return replace(history, codes=CompressedRows(history.codes.offsets, values))
