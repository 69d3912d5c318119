"""Metrics of a ranking: how well predictions put encounters in order."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np

from concept_transfer.evaluation.metrics.condensed import Ranked
from concept_transfer.evaluation.metrics.record import Metric

ROUNDING = 1 + 1e-6  # a specificity may be missed by float32's rounding


class Ranking:
    """A ranking under many sets of weights, by the G distinct scores of positives, t_0 first.

    ``positives`` [G, draws] at t_g; ``below`` [G, draws], negatives under t_g; ``tied`` [G, draws]
    negatives at t_g, None where there are none.
    """

    def __init__(self, ranked: Ranked, weights: np.ndarray, alert_rate: float) -> None:
        """``weights`` [units, draws]."""
        self.alert_rate = alert_rate
        self.positives = ranked.positives @ weights
        negatives = _cumulated(ranked.negatives @ weights)
        self.below, self.all_negatives = negatives[:-1], negatives[-1]
        self.tied = ranked.tied @ weights if ranked.tied.nnz else None
        self.missed = _cumulated(self.positives.copy())  # positives at or below each threshold
        self.all_positives = self.missed[-1]

    @property
    def pairs(self) -> np.ndarray:
        """Of a positive and a negative [draws]."""
        return np.asarray(self.all_positives * self.all_negatives)

    @cached_property
    def true(self) -> np.ndarray:
        """Positives at or above each threshold [G, draws]."""
        true = np.asarray(self.all_positives - self.missed)
        true += self.positives
        return true

    @cached_property
    def false(self) -> np.ndarray:
        """Negatives at or above each threshold [G, draws]."""
        return np.asarray(self.all_negatives - self.below)

    @cached_property
    def alerts(self) -> np.ndarray:
        """Encounters at or above each threshold [G, draws]."""
        return np.asarray(self.false + self.true)


def auroc(ranking: Ranking) -> np.ndarray:
    """Area under the ROC curve, ties counted half."""
    beaten = _sum(ranking.positives, ranking.below)
    if ranking.tied is not None:
        beaten += _sum(ranking.positives, ranking.tied) / 2
    return np.asarray(beaten / ranking.pairs)


def auprc(ranking: Ranking) -> np.ndarray:
    """Average precision, as scikit-learn computes it."""
    precision = ranking.alerts + np.finfo(ranking.alerts.dtype).tiny
    np.divide(ranking.true, precision, out=precision)
    return np.asarray(_sum(ranking.positives, precision) / ranking.all_positives)


def sensitivity_at_90(ranking: Ranking) -> np.ndarray:
    """The highest sensitivity whose specificity is at least 90 %."""
    return _sensitivity(ranking, 0.10)


def sensitivity_at_95(ranking: Ranking) -> np.ndarray:
    """The highest sensitivity whose specificity is at least 95 %."""
    return _sensitivity(ranking, 0.05)


def _sensitivity(ranking: Ranking, false_alerts: float) -> np.ndarray:
    threshold = _first_within(ranking.false, false_alerts * ROUNDING * ranking.all_negatives)
    return np.asarray(_at(ranking.true, threshold) / ranking.all_positives)


def ppv_at_alert_rate(ranking: Ranking) -> np.ndarray:
    """Share of positives among the highest predictions; tied encounters are alerted in part."""
    budget = ranking.alert_rate * (ranking.all_positives + ranking.all_negatives)
    threshold = _first_within(ranking.alerts, budget)
    last = threshold - 1  # the threshold whose ties are alerted in part
    tied = 0 if ranking.tied is None else _at(ranking.tied, last)
    together = _at(ranking.positives, last) + tied
    room = np.clip((budget - _at(ranking.alerts, last) + together) / together, 0, 1)
    alerted = ranking.all_positives - _at(ranking.missed, last)
    alerted = alerted + _at(ranking.positives, last) * room
    return np.asarray(np.where(threshold > 0, alerted, ranking.all_positives) / budget)


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


RANKING = (
    Metric(
        "auroc",
        "AUROC",
        about="discrimination",
        of="class",
        compute=auroc,
        ideal=1,
        higher_is_better=True,
        bounds=(0, 1),
        no_skill=lambda prevalence: 0.5,
    ),
    Metric(
        "auprc",
        "AUPRC",
        about="discrimination",
        of="class",
        compute=auprc,
        ideal=1,
        higher_is_better=True,
        bounds=(0, 1),
        no_skill=lambda prevalence: prevalence.within_folds,
    ),
    Metric(
        "sensitivity_at_90",
        "Sensitivity at 90 % specificity",
        about="usefulness",
        of="class",
        compute=sensitivity_at_90,
        ideal=1,
        higher_is_better=True,
        bounds=(0, 1),
        no_skill=lambda prevalence: 0.10,
    ),
    Metric(
        "sensitivity_at_95",
        "Sensitivity at 95 % specificity",
        about="usefulness",
        of="class",
        compute=sensitivity_at_95,
        ideal=1,
        higher_is_better=True,
        bounds=(0, 1),
        no_skill=lambda prevalence: 0.05,
    ),
    Metric(
        "ppv_at_alert_rate",
        "PPV of alerts",
        about="usefulness",
        of="class",
        compute=ppv_at_alert_rate,
        ideal=1,
        higher_is_better=True,
        bounds=(0, 1),
        no_skill=lambda prevalence: prevalence.within_folds,
    ),
)
