"""Shifting and stretching of a model's log probabilities, and ways to find out by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.score_regression import Regression

SLOPE_SPREAD = 0.5  # standard deviations of the normal priors: of the slope, around 1
INTERCEPT_SPREAD = 3.0  # of what shifts the log odds of two classes, around 0
HELD = 1e12  # precision of a slope that stays 1
EM_STEPS = 1000
KNOWN = 10  # encounters
EM_TOLERANCE = 1e-8
SMALLEST = 1e-12


@dataclass(frozen=True)
class Recalibration:
    """Class scores become ``slope * log p + intercepts``, and probabilities their softmax.

    intercepts: float64 [classes].
    """

    slope: float
    intercepts: NDArray[np.float64]

    def __call__(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities [n, classes] of probabilities [n, classes]."""
        from scipy.special import softmax

        scores = self.slope * log_probability(probability) + self.intercepts
        changed: NDArray[np.float64] = softmax(scores, axis=1)
        return changed


def log_probability(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of probabilities [n, classes], none of them minus infinity."""
    found: NDArray[np.float64] = np.log(np.maximum(probability, SMALLEST))
    return found


def recalibrated(
    probability: NDArray[np.float64], labels: NDArray[np.int8], slope: bool
) -> Recalibration:
    """Logistic recalibration (Cox 1958; Steyerberg et al. 2004, Statistics in Medicine 23).

    probability: [n, classes] of a model that was fitted elsewhere; slope: whether to stretch too,
    or shift alone. Normal priors keep few labels from going far.
    """
    regression = Regression(
        log_probability(probability)[None, ..., None],
        labels,
        np.ones(1),
        SLOPE_SPREAD**-2 if slope else HELD,
        2 * INTERCEPT_SPREAD**-2,
    )
    (intercepts,), (slopes,) = regression.fit()
    return Recalibration(float(slopes[0]) if slope else 1.0, intercepts)


def shifted_prior(
    probability: NDArray[np.float64], prior: Sequence[float] | NDArray[np.float64]
) -> Recalibration:
    """Correction for classes that are more or less frequent here (Saerens, Latinne, Decaestecker
    2002, Neural Computation 14), by expectation maximisation without labels.

    probability: [n, classes] here, of a model trained where classes had the frequencies `prior`.
    These count as `KNOWN` encounters more (the mode under a Dirichlet prior): of a model that tells
    little, the likelihood alone can put all encounters into one class.
    """
    trained = np.maximum(np.asarray(prior, float), SMALLEST)
    here = trained.copy()
    for _ in range(EM_STEPS):
        weighed = probability * (here / trained)
        found = (weighed / weighed.sum(axis=1, keepdims=True)).mean(axis=0)
        found = (len(probability) * found + KNOWN * trained) / (len(probability) + KNOWN)
        moved, here = np.abs(found - here).max(), found
        if moved < EM_TOLERANCE:
            break
    return Recalibration(1.0, np.log(np.maximum(here, SMALLEST) / trained))
