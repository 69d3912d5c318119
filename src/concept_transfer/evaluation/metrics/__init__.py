"""Performance of predicted probabilities, for many sets of weights at once.

A prediction vector is condensed once (`condense`); every metric under every set of weights then
follows from two sparse products and a few sums. A bootstrap draw is a set of weights, and the
observed sample is the set of ones, so point estimates and draws come from the same lines.

Under cross-fitting each fold has a model of its own, and the scores of different models have no
common order. Rank metrics are therefore computed within each fold and averaged with the folds'
numbers of pairs (one encounter with the outcome, one without) as weights; the calibration slope is
common to the folds, whose intercepts are their own. Sums over encounters need no such care.

`METRICS` are those of two classes. Of more, a matrix of predictions has those of `OF_ALL`, and for
each class told from all others those of `OF_CLASS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from concept_transfer.evaluation.calibration import brier_decomposition
from concept_transfer.evaluation.metrics import classes as of_classes
from concept_transfer.evaluation.metrics.classes import (
    AllClasses,
    CondensedClasses,
    condense_classes,
)
from concept_transfer.evaluation.metrics.condensed import Condensed, Ranked, condense
from concept_transfer.evaluation.metrics.ranking import RANKING, Ranking
from concept_transfer.evaluation.metrics.record import Metric, Prevalence
from concept_transfer.evaluation.metrics.risks import RISKS, Sums

__all__ = [
    "DECOMPOSITION",
    "METRICS",
    "OF_ALL",
    "OF_CLASS",
    "RANKING",
    "RISKS",
    "TESTED",
    "Condensed",
    "CondensedClasses",
    "Metric",
    "brier_parts",
    "condense",
    "condense_classes",
    "metrics",
    "metrics_of",
    "metrics_of_all",
    "no_skill",
    "no_skill_of_all",
    "weighted_metrics",
    "weighted_metrics_of_classes",
]
METRICS: dict[str, Metric] = {metric.name: metric for metric in (*RANKING, *RISKS)}
OF_ALL: dict[str, Metric] = {metric.name: metric for metric in of_classes.OF_ALL}
OF_CLASS = {name: metric for name, metric in METRICS.items() if metric.of == "class"}
TESTED = "auroc"  # what headlines rest on and comparisons test
DECOMPOSITION = ("brier_miscalibration", "brier_discrimination", "brier_uncertainty")


def metrics_of(classes: int) -> dict[str, Metric]:
    """The metrics of an outcome with so many classes, the tested one first."""
    return METRICS if classes == 2 else OF_ALL


def weighted_metrics(
    condensed: Condensed, weights: np.ndarray, alert_rate: float = 0.1
) -> np.ndarray:
    """Every metric of `METRICS` under every set of weights.

    ``weights`` [units, draws] -> [metrics, draws], in the precision of the weights; NaN where a
    metric is not defined, as in a draw with one class only.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = Sums(condensed, weights)
        values = np.concatenate(
            [
                _averaged_over_folds(condensed.ranked, weights, alert_rate),
                np.stack([metric.compute(sums) for metric in RISKS]),
            ]
        )
    values[~np.isfinite(values)] = np.nan
    return values


def weighted_metrics_of_classes(
    condensed: CondensedClasses, weights: np.ndarray, alert_rate: float = 0.1
) -> np.ndarray:
    """Every metric of `OF_ALL`, then class by class those of `OF_CLASS`, under sets of weights.

    ``weights`` [units, draws] -> [metrics, draws]; NaN where a metric is not defined.
    """
    each = np.stack([weighted_metrics(one, weights, alert_rate) for one in condensed.of_class])
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = AllClasses(condensed, weights, each)
        whole = np.stack([metric.compute(shared) for metric in OF_ALL.values()])
    whole[~np.isfinite(whole)] = np.nan
    places = [list(METRICS).index(name) for name in OF_CLASS]
    return np.concatenate([whole, *each[:, places]])


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
    """The rank metrics [metrics, draws] of one ranking, and the pairs behind them [draws]."""
    if ranked.positives.shape[0] == 0:
        nothing = np.zeros(weights.shape[1], weights.dtype)
        return np.full((len(RANKING), weights.shape[1]), np.nan), nothing
    ranking = Ranking(ranked, weights, alert_rate)
    values = np.stack([metric.compute(ranking) for metric in RANKING])
    values[:, (ranking.all_positives == 0) | (ranking.all_negatives == 0)] = np.nan
    return values, ranking.pairs


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


def metrics_of_all(
    labels: np.ndarray, probability: np.ndarray, fold: np.ndarray | None = None
) -> dict[str, float]:
    """Every metric of `OF_ALL` of one matrix of predictions [n, classes]."""
    condensed = condense_classes(labels, probability, fold=fold)
    values = weighted_metrics_of_classes(condensed, np.ones((len(labels), 1)))
    return dict(zip(OF_ALL, values[:, 0].tolist(), strict=False))


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
    prevalence = _prevalence(labels, fold)
    return {
        name: metric.no_skill(prevalence) for name, metric in METRICS.items() if metric.no_skill
    }


def no_skill_of_all(
    labels: np.ndarray, classes: int, fold: np.ndarray | None = None
) -> dict[str, float]:
    """The same of more than two classes: their prevalences, or the vote for the most frequent."""
    prevalences = [_prevalence((labels == k).astype(np.int8), fold) for k in range(classes)]
    return {
        name: metric.no_skill(prevalences) for name, metric in OF_ALL.items() if metric.no_skill
    }


def _prevalence(labels: np.ndarray, fold: np.ndarray | None) -> Prevalence:
    overall = float(labels.mean())
    if fold is None:
        return Prevalence(overall, overall)
    rates = np.array([labels[fold == f].mean() for f in np.unique(fold)])
    sizes = np.array([(fold == f).sum() for f in np.unique(fold)])
    pairs = sizes * sizes * rates * (1 - rates)
    return Prevalence(overall, float(pairs @ rates / pairs.sum()) if pairs.any() else overall)
