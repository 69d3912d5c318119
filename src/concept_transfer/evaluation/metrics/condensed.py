"""A prediction vector, added up by resampling unit: all that metrics need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from concept_transfer.evaluation.calibration import (
    SMALLEST,
    calibration_in_the_large,
    common_slope,
    logit,
    sigmoid,
)


@dataclass(frozen=True)
class Ranked:
    """A ranking in terms of its G distinct scores of positives, t_0 < ... < t_{G-1}.

    Sparse counts: ``positives`` [G, units] at t_g, ``negatives`` [G + 1, units] from t_{g-1} up to
    but not including t_g, ``tied`` [G, units] negatives at t_g.
    """

    positives: Any
    negatives: Any
    tied: Any


@dataclass(frozen=True)
class Condensed:
    """All that metrics need of one prediction vector, added up by resampling unit.

    ``ranked``: one ranking a fold; ``sums`` [11, units]: encounters, positives, squared error, log
    loss, and the gradients and second derivatives of the two calibration fits at their optima
    (``fits``: calibration in the large; slope); ``members``: each fold's units.
    """

    ranked: tuple[Ranked, ...]
    sums: np.ndarray
    fits: tuple[float, float]
    members: tuple[np.ndarray | slice, ...]

    @property
    def widest(self) -> int:
        """Most distinct scores of positives in a fold."""
        return max(int(fold.positives.shape[0]) for fold in self.ranked)


def condense(
    labels: np.ndarray,
    probability: np.ndarray,
    unit: np.ndarray | None = None,
    units: int | None = None,
    fold: np.ndarray | None = None,
) -> Condensed:
    """Condense labels [n] and probabilities [n] of encounters that belong to ``unit`` [n].

    ``unit`` numbers the resampling units 0 .. ``units`` - 1 (default: each encounter its own);
    ``fold`` [n] says whose model predicted (default: one model). A unit lies within one fold.
    """
    if unit is None:
        unit = np.arange(len(labels))
    units = int(unit.max()) + 1 if units is None else units
    folds = [np.arange(len(labels))]
    if fold is not None:
        folds = [np.flatnonzero(fold == number) for number in np.unique(fold)]
    p = probability.astype(np.float64)
    y = labels.astype(np.float64)
    z = logit(p)
    large = calibration_in_the_large(y, z)
    intercepts, slope = common_slope(y, z, folds)
    shifted, fitted = sigmoid(z + large), sigmoid(intercepts + slope * z)
    spread = fitted * (1 - fitted)
    clipped = np.clip(p, SMALLEST, 1 - SMALLEST)
    rows = (
        np.ones_like(y),
        y,
        (p - y) ** 2,
        -np.log(np.where(labels == 1, clipped, 1 - clipped)),
        y - shifted,
        shifted * (1 - shifted),
        y - fitted,
        (y - fitted) * z,
        spread,
        spread * z,
        spread * z * z,
    )
    sums = np.stack([np.bincount(unit, weights=row, minlength=units) for row in rows])
    ranked = [_rank(labels[rows], p[rows], unit[rows], units) for rows in folds]
    members = [np.unique(unit[rows]) for rows in folds] if len(folds) > 1 else [slice(None)]
    return Condensed(tuple(ranked), sums, (large, slope), tuple(members))


def _rank(labels: np.ndarray, scores: np.ndarray, unit: np.ndarray, units: int) -> Ranked:
    from scipy.sparse import csr_array

    positive = labels == 1
    thresholds, group = np.unique(scores[positive], return_inverse=True)
    others, their_unit = scores[~positive], unit[~positive]
    first = np.searchsorted(thresholds, others, side="left")
    row = np.searchsorted(thresholds, others, side="right")
    tied = first < row

    def count(rows: np.ndarray, columns: np.ndarray, height: int) -> Any:
        ones = np.ones(len(rows), np.float32)
        return csr_array((ones, (rows, columns)), shape=(height, units))

    size = len(thresholds)
    return Ranked(
        count(group, unit[positive], size),
        count(row, their_unit, size + 1),
        count(first[tied], their_unit[tied], size),
    )
