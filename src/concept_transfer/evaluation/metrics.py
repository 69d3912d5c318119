"""Performance of predicted probabilities, for many sets of weights at once.

A prediction vector is condensed once (`condense`); every metric under every set of weights then
follows from two sparse products and a few sums. A bootstrap draw is a set of weights, and the
observed sample is the set of ones, so point estimates and draws come from the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from concept_transfer.evaluation.calibration import (
    SMALLEST,
    brier_decomposition,
    calibration_in_the_large,
    logit,
    recalibration,
    sigmoid,
)

RANKING = ("auroc", "auprc", "sensitivity_at_90", "sensitivity_at_95", "ppv_at_alert_rate")
CALIBRATION = ("brier", "log_loss", "calibration_intercept", "calibration_slope")
METRICS = (*RANKING, *CALIBRATION)
DECOMPOSITION = ("brier_miscalibration", "brier_discrimination", "brier_uncertainty")


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

    ``sums`` [11, units]: encounters, positives, squared error, log loss, and the gradients and
    second derivatives of the two calibration fits at their optima (``fits``: calibration in the
    large; intercept and slope).
    """

    ranked: Ranked
    sums: np.ndarray
    fits: tuple[float, float, float]


def condense(
    labels: np.ndarray,
    probability: np.ndarray,
    unit: np.ndarray | None = None,
    units: int | None = None,
) -> Condensed:
    """Condense labels [n] and probabilities [n] of encounters that belong to ``unit`` [n].

    ``unit`` numbers the resampling units 0 .. ``units`` - 1 (default: each encounter its own).
    """
    if unit is None:
        unit = np.arange(len(labels))
    units = int(unit.max()) + 1 if units is None else units
    p = probability.astype(np.float64)
    y = labels.astype(np.float64)
    z = logit(p)
    large = calibration_in_the_large(y, z)
    intercept, slope = recalibration(y, z)
    shifted, fitted = sigmoid(z + large), sigmoid(intercept + slope * z)
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
    return Condensed(_rank(labels, p, unit, units), sums, (large, intercept, slope))


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


def weighted_metrics(
    condensed: Condensed, weights: np.ndarray, alert_rate: float = 0.1
) -> np.ndarray:
    """Every metric of `METRICS` under every set of weights.

    ``weights`` [units, draws] -> [metrics, draws], in the precision of the weights; NaN where a
    metric is not defined, as in a draw with one class only.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.concatenate(
            [
                _ranking_metrics(condensed.ranked, weights, alert_rate),
                _calibration_metrics(condensed, weights),
            ]
        )
    values[~np.isfinite(values)] = np.nan
    return values


def _ranking_metrics(ranked: Ranked, weights: np.ndarray, alert_rate: float) -> np.ndarray:
    """AUROC, AUPRC (average precision), sensitivity at 90 and 95 % specificity, PPV."""
    positives = ranked.positives @ weights
    if len(positives) == 0:
        return np.full((len(RANKING), weights.shape[1]), np.nan)
    negatives = _cumulated(ranked.negatives @ weights)
    below, all_negatives = negatives[:-1], negatives[-1]
    tied = ranked.tied @ weights if ranked.tied.nnz else None
    missed = _cumulated(positives.copy())  # positives at or below each threshold
    all_positives = missed[-1]

    beaten = _sum(positives, below)
    if tied is not None:
        beaten += _sum(positives, tied) / 2
    auroc = beaten / (all_positives * all_negatives)
    true = all_positives - missed
    true += positives
    alerts = all_negatives - below
    sensitivities = [
        _at(true, _first_within(alerts, share * (1 + 1e-6) * all_negatives)) / all_positives
        for share in (0.10, 0.05)
    ]
    alerts += true
    budget = alert_rate * (all_positives + all_negatives)
    threshold = _first_within(alerts, budget)
    last = threshold - 1  # the threshold whose ties are alerted in part
    together = _at(positives, last) + (0 if tied is None else _at(tied, last))
    room = np.clip((budget - _at(alerts, last) + together) / together, 0, 1)
    higher = all_positives - _at(missed, last)
    ppv = np.where(threshold > 0, higher + _at(positives, last) * room, all_positives) / budget
    true /= alerts + np.finfo(alerts.dtype).tiny
    auprc = _sum(positives, true) / all_positives

    values = np.stack([auroc, auprc, *sensitivities, ppv])
    values[:, (all_positives == 0) | (all_negatives == 0)] = np.nan
    return values


def _cumulated(rows: np.ndarray) -> np.ndarray:
    """Cumulative sums down the rows, in place; whole rows at a time are faster than cumsum."""
    for previous, row in pairwise(rows):
        np.add(row, previous, out=row)
    return rows


def _sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("gb,gb->b", a, b)


def _at(rows: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Element ``index[b]`` of each column b; 0 past the last row."""
    inside = index < len(rows)
    return np.where(inside, rows[np.where(inside, index, 0), np.arange(len(index))], 0)


def _first_within(rows: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """For each column of non-increasing numbers, the first row that is at most ``bound``."""
    columns = np.arange(rows.shape[1])
    low, high = np.zeros(len(columns), np.intp), np.full(len(columns), len(rows))
    while (low < high).any():
        middle = (low + high) // 2
        within = rows[np.minimum(middle, len(rows) - 1), columns] <= bound
        high = np.where(within, middle, high)
        low = np.where(within | (low >= high), low, middle + 1)
    return low


def _calibration_metrics(condensed: Condensed, weights: np.ndarray) -> np.ndarray:
    """Brier score, log loss, calibration in the large, calibration slope.

    The two calibration fits take one Newton step from the observed sample's optimum (the
    one-step bootstrap, Moulton & Zeger 1991), which is exact for the observed sample itself.
    """
    large, _, slope = condensed.fits
    sums = condensed.sums.astype(weights.dtype) @ weights
    count, positives, squared, log = sums[:4]
    g, h, g0, g1, h00, h01, h11 = sums[4:]
    determinant = h00 * h11 - h01 * h01
    values = np.stack(
        [
            squared / count,
            log / count,
            large + g / h,
            slope + (h00 * g1 - h01 * g0) / determinant,
        ]
    )
    values[2:, (positives == 0) | (positives == count)] = np.nan
    return values


def metrics(
    labels: np.ndarray, probability: np.ndarray, alert_rate: float = 0.1
) -> dict[str, float]:
    """Every metric of one prediction vector [n], the Brier score's parts included.

    AUROC averages ties; AUPRC is scikit-learn's average precision; sensitivity is the highest
    whose specificity is at least 90 or 95 %; PPV is the share of positives among the
    ``alert_rate`` highest predictions, ties shared evenly.
    """
    values = weighted_metrics(condense(labels, probability), np.ones((len(labels), 1)), alert_rate)
    parts = brier_decomposition(labels, probability)
    names = (*METRICS, *DECOMPOSITION)
    return dict(zip(names, (*values[:, 0].tolist(), *parts), strict=True))


def no_skill(prevalence: float) -> dict[str, float]:
    """What a prediction without information reaches: the prevalence for everybody."""
    entropy = -sum(q * np.log(q) for q in (prevalence, 1 - prevalence) if q > 0)
    return {
        "auroc": 0.5,
        "auprc": prevalence,
        "sensitivity_at_90": 0.10,
        "sensitivity_at_95": 0.05,
        "ppv_at_alert_rate": prevalence,
        "brier": prevalence * (1 - prevalence),
        "log_loss": float(entropy),
    }
