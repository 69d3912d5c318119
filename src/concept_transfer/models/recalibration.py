"""Shifting and stretching of a model's log probabilities, and ways to find out by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

SLOPE_SPREAD = 0.5  # standard deviations of the normal priors around slope 1 and intercept 0
INTERCEPT_SPREAD = 3.0
EM_STEPS = 1000
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
    or shift alone. Normal priors keep few labels from going far. The first class has intercept 0.
    """
    log_p = log_probability(probability)
    classes = probability.shape[1]
    truth = np.eye(classes)[labels]

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        stretch = parameters[0] if slope else 1.0
        shift = np.concatenate([[0.0], parameters[1:]])
        scores = log_softmax(stretch * log_p + shift, axis=1)
        error = np.exp(scores) - truth
        gradient = np.concatenate([[(error * log_p).sum() if slope else 0.0], error.sum(0)[1:]])
        away = parameters - centre
        return -(scores * truth).sum() + (away**2 / spread**2).sum() / 2, (
            gradient + away / spread**2
        )

    centre = np.concatenate([[1.0], np.zeros(classes - 1)])
    spread = np.concatenate([[SLOPE_SPREAD], np.full(classes - 1, INTERCEPT_SPREAD)])
    found = minimize(
        loss,
        centre,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] + [(None, None)] * (classes - 1),
    )
    return Recalibration(float(found.x[0]), np.concatenate([[0.0], found.x[1:]]))


def shifted_prior(
    probability: NDArray[np.float64], prior: Sequence[float] | NDArray[np.float64]
) -> Recalibration:
    """Correction for classes that are more or less frequent here (Saerens, Latinne, Decaestecker
    2002, Neural Computation 14), by expectation maximisation without labels.

    probability: [n, classes] here, of a model trained where classes had the frequencies `prior`.
    """
    trained = np.maximum(np.asarray(prior, float), SMALLEST)
    here = trained.copy()
    for _ in range(EM_STEPS):
        weighed = probability * (here / trained)
        found = (weighed / weighed.sum(axis=1, keepdims=True)).mean(axis=0)
        moved, here = np.abs(found - here).max(), found
        if moved < EM_TOLERANCE:
            break
    return Recalibration(1.0, np.log(np.maximum(here, SMALLEST) / trained))
