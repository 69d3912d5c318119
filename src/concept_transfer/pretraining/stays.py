"""Prolonged stays, the second thing that Med-BERT learns to predict (Rasmy et al. 2021)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.inputs.history import BACKGROUND, History


def prolonged(history: History, rows: NDArray[np.int64], days: float) -> NDArray[np.bool_]:
    """Whether any visit of a row lasts longer than so many days, bool [rows], from its first event
    to its last, whatever their codes."""
    places = history.codes.places(rows)
    owners = np.repeat(np.arange(len(rows)), history.codes.lengths[rows])
    timed = history.visits[places] != BACKGROUND
    owners, places = owners[timed], places[timed]
    found = np.zeros(len(rows), bool)
    if len(places):
        visits = history.visits[places].astype(np.int64)
        keys = owners * (visits.max() + 1) + visits
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
        before = history.days[places[order]]
        lasted = np.maximum.reduceat(before, starts) - np.minimum.reduceat(before, starts)
        np.logical_or.at(found, owners[order][starts], lasted > days)
    return found
