"""Several models' probabilities as one: a logarithmic opinion pool, and what it is fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

SMALLEST = float(np.finfo(np.float32).eps)  # predictions are float32: 1 means this close
TINY = float(np.finfo(np.float32).tiny)  # 0 means this close


@dataclass(frozen=True)
class Labelled:
    """What C models, none of which trained on them, say of n labelled encounters.

    scores: float64 [C, n, classes], log probabilities; labels: int8 [n]; clusters: int64 [n],
    the cluster of each by number.
    """

    scores: NDArray[np.float64]
    labels: NDArray[np.int8]
    clusters: NDArray[np.int64]

    def among(self, rows: NDArray[np.bool_]) -> Labelled:
        """Some of the encounters, bool [n]."""
        return Labelled(self.scores[:, rows], self.labels[rows], self.clusters[rows])


@dataclass(frozen=True)
class Pool:
    """A logarithmic opinion pool (Genest, Zidek 1986, doi:10.1214/ss/1177013825): the log
    probabilities' weighted sum, float64 [C], beside an intercept a class, float64 [classes]."""

    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def probability(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities [n, classes] from log probabilities [C, n, classes]."""
        probability: NDArray[np.float64] = softmax(
            self.intercept + np.tensordot(self.weights, scores, 1), axis=-1
        )
        return probability


def log_probabilities(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms; those of less than float32's epsilon come ever closer to each other, so that none
    is certain and all keep their order.

    >>> log_probabilities(np.array([0.5, 1e-7, 1e-30, 0.0])).round(1).tolist()
    [-0.7, -16.1, -19.9, -20.2]
    """
    logs = np.log(np.clip(probability.astype(float), TINY, 1 - SMALLEST))
    least = np.log(SMALLEST)
    return np.asarray(np.where(logs < least, least - np.log1p(np.abs(least - logs)), logs))
