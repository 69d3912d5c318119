"""DeLong's variance of AUROC, for encounters that are independent of each other.

DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44; by midranks as in Sun & Xu (2014), IEEE
Signal Processing Letters 21.
"""

from __future__ import annotations

import numpy as np


def placements(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """float64 [n]: for a positive, the share of negatives it beats; for a negative, the share of
    positives that beat it; ties count half. Their mean in either class is the AUROC."""
    positive = labels == 1
    result = np.empty(len(labels))
    result[positive] = _share_below(scores[positive], scores[~positive])
    result[~positive] = 1 - _share_below(scores[~positive], scores[positive])
    return result


def _share_below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    others = np.sort(others)
    left = np.searchsorted(others, scores, side="left")
    right = np.searchsorted(others, scores, side="right")
    return (left + right) / (2 * len(others))


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN where a class is missing."""
    if labels.size == 0 or labels.min() == labels.max():
        return float("nan")
    return float(placements(labels, scores)[labels == 1].mean())


def variance(labels: np.ndarray, placement: np.ndarray) -> float:
    """Sampling variance of an AUROC, or of a linear combination of AUROCs, from its placements.

    ``placement`` [n]: placements of one score, the mean over replicates, or the difference of two
    scores' placements. NaN with fewer than two encounters in a class.
    """
    parts = [placement[labels == 1], placement[labels != 1]]
    if min(map(len, parts)) < 2:
        return float("nan")
    return float(sum(np.var(part, ddof=1) / len(part) for part in parts))
