"""AUROC and its sampling variance from placements, of independent and of related encounters.

DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44; by midranks as in Sun & Xu (2014), IEEE
Signal Processing Letters 21; for clusters Obuchowski (1997), Biometrics 53. Of more than two
classes each is told from all others, and the AUROC is the mean over those that are there; an
encounter's influence on it is the mean of its influences on theirs.
"""

from __future__ import annotations

import numpy as np

from concept_transfer.evaluation.clusters import Clustered, clustered, influences, of_influences


def placements(
    labels: np.ndarray, scores: np.ndarray, fold: np.ndarray | None = None
) -> np.ndarray:
    """float64 [n]: for a positive, the share of negatives it beats; for a negative, the share of
    positives that beat it; ties count half. Their mean in either class is the AUROC.

    With several models (``fold`` [n] says whose) encounters are ranked within their fold, and the
    AUROC is the folds' mean by pairs: a placement's distance from that mean is scaled by the number
    of encounters it is compared with, relative to the class's average, which makes the variance
    that of the ratio (pairs in order / pairs). An encounter of a fold that holds one class only
    has the mean itself.

    Probabilities [n, classes] of more than two classes give placements [classes, n], each class
    told from all others; NaN of a class that cannot be.
    """
    if scores.ndim == 2:
        return np.stack([_of_class(labels == k, p, fold) for k, p in enumerate(scores.T)])
    positive = labels == 1
    result = np.empty(len(labels))
    if fold is None:
        result[positive] = _share_below(scores[positive], scores[~positive])
        result[~positive] = 1 - _share_below(scores[~positive], scores[positive])
        return result
    opponents = np.zeros(len(labels))
    result[:] = 0.5
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        positives = int(positive[rows].sum())
        if 0 < positives < len(rows):
            result[rows] = placements(labels[rows], scores[rows])
            opponents[rows] = np.where(positive[rows], len(rows) - positives, positives)
    pairs = opponents[positive].sum()
    area = opponents[positive] @ result[positive] / pairs
    for members in (positive, ~positive):
        scale = opponents[members] * members.sum() / pairs
        result[members] = area + scale * (result[members] - area)
    return result


def _of_class(members: np.ndarray, scores: np.ndarray, fold: np.ndarray | None) -> np.ndarray:
    labels = members.astype(np.int8)
    if not _are_paired(labels, fold):
        return np.full(len(labels), np.nan)
    return placements(labels, scores, fold)


def _are_paired(labels: np.ndarray, fold: np.ndarray | None) -> bool:
    """Whether any fold holds both classes."""
    folds = [labels] if fold is None else [labels[fold == number] for number in np.unique(fold)]
    return any(part.size and part.min() != part.max() for part in folds)


def _share_below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    others = np.sort(others)
    left = np.searchsorted(others, scores, side="left")
    right = np.searchsorted(others, scores, side="right")
    return (left + right) / (2 * len(others))


def auroc(labels: np.ndarray, scores: np.ndarray, fold: np.ndarray | None = None) -> float:
    """Area under the ROC curve, ties counted half; NaN where no pair of both classes exists.

    ``fold`` [n]: encounters are ranked within their fold, see `placements`. Of probabilities
    [n, classes] it is the mean over the classes that can be told from all others.
    """
    if scores.ndim == 2:
        areas = [auroc((labels == k).astype(np.int8), p, fold) for k, p in enumerate(scores.T)]
        known = [area for area in areas if not np.isnan(area)]
        return float(np.mean(known)) if known else float("nan")
    if not _are_paired(labels, fold):
        return float("nan")
    return float(placements(labels, scores, fold)[labels == 1].mean())


def variance(labels: np.ndarray, placement: np.ndarray) -> float:
    """Sampling variance of an AUROC, or of a linear combination of AUROCs, by DeLong.

    ``placement`` [n], or [classes, n] of more than two: placements of one score, the mean over
    replicates, or the difference of two scores' placements. NaN with fewer than two encounters in
    a class.
    """
    return clustered_variance(labels, placement).variance


def clustered_variance(
    labels: np.ndarray, placement: np.ndarray, unit: np.ndarray | None = None
) -> Clustered:
    """The same, and what it rests on, where encounters of a ``unit`` [n] are related."""
    if placement.ndim == 1:
        return clustered(placement, unit, (labels == 1, labels != 1))
    known = [(k, row) for k, row in enumerate(placement) if not np.isnan(row).any()]
    if not known:
        return Clustered(float("nan"), 0)
    each = [influences(row, unit, (labels == k, labels != k)) for k, row in known]
    return of_influences(each, unit)


def clustered_auroc(
    labels: np.ndarray, scores: np.ndarray, cluster: np.ndarray
) -> tuple[float, Clustered]:
    """AUROC and its sampling variance where encounters of a cluster are related."""
    placement = placements(labels, scores)
    _, unit = np.unique(cluster, return_inverse=True)
    area = float(placement[labels == 1].mean())
    return area, clustered_variance(labels, placement, unit)
