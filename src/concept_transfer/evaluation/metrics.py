"""Performance of predicted probabilities, for many sets of weights at once.

A prediction vector is condensed once (`condense`); every metric under every set of weights then
follows from two sparse products and a few sums. A bootstrap draw is a set of weights, and the
observed sample is the set of ones, so point estimates and draws come from the same lines.

Under cross-fitting each fold has a model of its own, and the scores of different models have no
common order. Rank metrics are therefore computed within each fold and averaged with the folds'
numbers of pairs (one encounter with the outcome, one without) as weights; the calibration slope is
common to the folds, whose intercepts are their own. Sums over encounters need no such care.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from concept_transfer.evaluation.calibration import (
    SMALLEST,
    brier_decomposition,
    calibration_in_the_large,
    common_slope,
    logit,
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

    ``ranked``: one ranking a fold; ``sums`` [11, units]: encounters, positives, squared error, log
    loss, and the gradients and second derivatives of the two calibration fits at their optima
    (``fits``: calibration in the large; slope); ``members``: each fold's units.
    """

    ranked: tuple[Ranked, ...]
    sums: np.ndarray
    fits: tuple[float, float]
    members: tuple[np.ndarray | slice, ...]


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
    ranked = [_rank(labels[own], p[own], unit[own], units) for own in folds]
    members = [np.unique(unit[own]) for own in folds] if len(folds) > 1 else [slice(None)]
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
                _averaged_over_folds(condensed.ranked, weights, alert_rate),
                _calibration_metrics(condensed, weights),
            ]
        )
    values[~np.isfinite(values)] = np.nan
    return values


def _averaged_over_folds(
    ranked: Sequence[Ranked], weights: np.ndarray, alert_rate: float
) -> np.ndarray:
    """The rank metrics [metrics, draws] of all folds, weighted by their pairs.

    A fold that holds one class only in a draw has no pairs there.
    """
    if len(ranked) == 1:
        return _ranking_metrics(ranked[0], weights, alert_rate)[0]
    each = [_ranking_metrics(fold, weights, alert_rate) for fold in ranked]
    total = sum(np.where(pairs > 0, values * pairs, 0) for values, pairs in each)
    return np.asarray(total / sum(pairs for _, pairs in each))


def _ranking_metrics(
    ranked: Ranked, weights: np.ndarray, alert_rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC, AUPRC (average precision), sensitivity at 90 and 95 % specificity, PPV; and the
    number of pairs behind them [draws]."""
    positives = ranked.positives @ weights
    if len(positives) == 0:
        nothing = np.zeros(weights.shape[1], weights.dtype)
        return np.full((len(RANKING), weights.shape[1]), np.nan), nothing
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
    return values, all_positives * all_negatives


def _cumulated(rows: np.ndarray) -> np.ndarray:
    """Cumulative sums down the rows, in place; whole rows at a time are faster than cumsum."""
    for previous, row in pairwise(rows):
        np.add(row, previous, out=row)
    return rows


def _sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("gb,gb->b", a, b))


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
    one-step bootstrap, Moulton & Zeger 1991), which is exact for the observed sample itself. The
    folds' intercepts are eliminated from the step of the slope.
    """
    large, slope = condensed.fits
    sums = condensed.sums.astype(weights.dtype)
    count, positives, squared, log, g, h = sums[:6] @ weights
    gradient, curvature = np.zeros_like(count), np.zeros_like(count)
    for members in condensed.members:
        g0, g1, h00, h01, h11 = sums[6:, members] @ weights[members]
        some = h00 > 0
        gradient += np.where(some, g1 - h01 * g0 / h00, 0)
        curvature += np.where(some, h11 - h01 * h01 / h00, 0)
    values = np.stack([squared / count, log / count, large + g / h, slope + gradient / curvature])
    values[2:, (positives == 0) | (positives == count)] = np.nan
    return values


def metrics(
    labels: np.ndarray,
    probability: np.ndarray,
    alert_rate: float = 0.1,
    fold: np.ndarray | None = None,
) -> dict[str, float]:
    """Every metric of one prediction vector [n], the Brier score's parts included.

    AUROC averages ties; AUPRC is scikit-learn's average precision; sensitivity is the highest
    whose specificity on these very encounters is at least 90 or 95 %, a point of their ROC curve;
    PPV is the share of positives among the ``alert_rate`` highest predictions, ties shared evenly.
    ``fold`` [n]: whose model predicted, where there are several.
    """
    condensed = condense(labels, probability, fold=fold)
    values = weighted_metrics(condensed, np.ones((len(labels), 1)), alert_rate)
    parts = brier_parts(labels, probability, fold)
    names = (*METRICS, *DECOMPOSITION)
    return dict(zip(names, (*values[:, 0].tolist(), *parts), strict=True))


def brier_parts(
    labels: np.ndarray, probability: np.ndarray, fold: np.ndarray | None = None
) -> tuple[float, float, float]:
    """`brier_decomposition` of each fold's model, averaged over the encounters [n]."""
    if fold is None:
        return brier_decomposition(labels, probability)
    folds, sizes = np.unique(fold, return_counts=True)
    parts = [brier_decomposition(labels[fold == f], probability[fold == f]) for f in folds]
    miscalibration, discrimination, uncertainty = (sizes @ np.array(parts)) / len(labels)
    return float(miscalibration), float(discrimination), float(uncertainty)


def no_skill(labels: np.ndarray, fold: np.ndarray | None = None) -> dict[str, float]:
    """What a prediction without information reaches: the prevalence for everybody.

    Rank metrics average the folds' prevalences like the metrics themselves.
    """
    prevalence = float(labels.mean())
    entropy = -sum(q * np.log(q) for q in (prevalence, 1 - prevalence) if q > 0)
    within = prevalence
    if fold is not None:
        rates = np.array([labels[fold == f].mean() for f in np.unique(fold)])
        sizes = np.array([(fold == f).sum() for f in np.unique(fold)])
        pairs = sizes * sizes * rates * (1 - rates)
        within = float(pairs @ rates / pairs.sum()) if pairs.any() else prevalence
    return {
        "auroc": 0.5,
        "auprc": within,
        "sensitivity_at_90": 0.10,
        "sensitivity_at_95": 0.05,
        "ppv_at_alert_rate": within,
        "brier": prevalence * (1 - prevalence),
        "log_loss": float(entropy),
    }
