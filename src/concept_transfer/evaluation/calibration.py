"""Calibration: logistic recalibration, the Brier score's decomposition, the calibration curve."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

SMALLEST = float(np.finfo(np.float32).eps)  # predictions are float32: 0 and 1 mean this close
ITERATIONS = 50
STEEPEST = 1e4  # a slope beyond this says that the classes are separated: no finite fit exists


def logit(probability: np.ndarray) -> np.ndarray:
    """Log odds, of the same shape; 0 and 1 are moved inside by float32's epsilon."""
    clipped = np.clip(probability.astype(np.float64), SMALLEST, 1 - SMALLEST)
    return np.log(clipped) - np.log1p(-clipped)


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * log_odds))


def recalibration(labels: np.ndarray, log_odds: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the logistic regression of the labels on the log odds [n].

    Newton's method with step halving; (nan, nan) where no finite fit exists (one class only,
    constant predictions, or classes that the predictions separate). Cox (1958), Biometrika 45.
    """
    design = np.stack([np.ones_like(log_odds), log_odds])
    intercept, slope = _newton(design, labels, np.zeros_like(log_odds))
    return float(intercept), float(slope)


def common_slope(
    labels: np.ndarray, log_odds: np.ndarray, folds: Sequence[np.ndarray]
) -> tuple[np.ndarray, float]:
    """Recalibration of several models at once: one slope, and an intercept a model.

    ``folds`` holds the places of each model's encounters among labels and log odds [n]. Returns
    every encounter's intercept [n] and the slope, NaN where no finite fit exists. A model whose
    encounters are of one class has an infinite intercept and no say in the slope.
    """
    intercepts = np.empty(len(labels))
    mixed = []
    for rows in folds:
        if labels[rows].min() == labels[rows].max():
            intercepts[rows] = np.inf if labels[rows[0]] else -np.inf
        else:
            mixed.append(rows)
    if not mixed:
        return np.full(len(labels), np.nan), float("nan")
    used = np.concatenate(mixed)
    member = np.repeat(np.arange(len(mixed)), [len(rows) for rows in mixed])
    design = np.stack([*(member == number for number in range(len(mixed))), log_odds[used]])
    *levels, slope = _newton(design.astype(np.float64), labels[used], np.zeros(len(used)))
    intercepts[used] = np.array(levels)[member]
    return intercepts, float(slope)


def calibration_in_the_large(labels: np.ndarray, log_odds: np.ndarray) -> float:
    """Intercept of the logistic regression of the labels [n] with the log odds as offset.

    Van Calster et al. (2019), BMC Medicine 17:230; nan where there is one class only.
    """
    return float(_newton(np.ones((1, len(log_odds))), labels, log_odds)[0])


def _newton(design: np.ndarray, labels: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Maximum-likelihood coefficients [k] of a logistic regression; design [k, n]."""
    nothing = np.full(len(design), np.nan)
    if labels.min() == labels.max():
        return nothing
    beta = np.zeros(len(design))
    signs = np.where(labels == 1, 1.0, -1.0)
    loss = np.logaddexp(0, -signs * (beta @ design + offset)).sum()
    for _ in range(ITERATIONS):
        fitted = sigmoid(beta @ design + offset)
        hessian = (design * (fitted * (1 - fitted))) @ design.T
        gradient = design @ (labels - fitted)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return nothing
        for _ in range(ITERATIONS):
            new_loss = np.logaddexp(0, -signs * ((beta + step) @ design + offset)).sum()
            if new_loss <= loss * (1 + 1e-12):
                break
            step = step / 2
        beta, loss = beta + step, new_loss
        if not np.isfinite(beta).all() or np.abs(beta).max() > STEEPEST:
            return nothing
        if np.abs(step).max() < 1e-9 * (1 + np.abs(beta).max()):
            return beta
    return nothing


def brier_decomposition(labels: np.ndarray, probability: np.ndarray) -> tuple[float, float, float]:
    """Miscalibration, discrimination and uncertainty; Brier = first - second + third, exactly.

    The calibrated forecast is the isotonic regression of the labels [n] on the predictions [n]
    (CORP: Dimitriadis, Gneiting, Jordan 2021, PNAS 118), so that no bins have to be chosen.
    """
    from scipy.optimize import isotonic_regression

    _, group, counts = np.unique(probability, return_inverse=True, return_counts=True)
    rates = np.bincount(group, weights=labels) / counts
    calibrated = isotonic_regression(rates, weights=counts).x[group]
    brier = float(np.mean((probability.astype(np.float64) - labels) ** 2))
    best = float(np.mean((calibrated - labels) ** 2))
    uncertainty = float(np.mean(labels) * (1 - np.mean(labels)))
    return brier - best, uncertainty - best, uncertainty


class Bin(NamedTuple):
    """One bin of a calibration curve; ``predicted`` and ``positives`` are means over replicates."""

    encounters: int
    predicted: float
    positives: float


def calibration_bins(labels: np.ndarray, probability: np.ndarray, bins: int = 20) -> list[Bin]:
    """Encounters by rank of their prediction, in bins of (almost) equal size.

    ``labels`` [n], ``probability`` [replicates, n]; every replicate ranks for itself.
    Encounters with the same prediction count with their mean label, in whatever bin they fall.
    """
    order = np.argsort(probability, axis=1, kind="stable")
    ranked = np.take_along_axis(probability.astype(np.float64), order, 1)
    positives = np.take_along_axis(
        np.stack([_tied_means(labels, p) for p in probability]), order, 1
    )
    edges = np.linspace(0, len(labels), min(bins, len(labels)) + 1).astype(int)
    return [
        Bin(
            int(stop - start),
            float(ranked[:, start:stop].mean()),
            float(positives[:, start:stop].sum(axis=1).mean()),
        )
        for start, stop in pairwise(edges)
    ]


def _tied_means(labels: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Every encounter's label [n], averaged over those with the same prediction."""
    _, group, counts = np.unique(probability, return_inverse=True, return_counts=True)
    return (np.bincount(group, weights=labels) / counts)[group]


def wilson_interval(positives: float, encounters: int, confidence: float) -> tuple[float, float]:
    """Wilson's (1927) interval of a share; encounters count as independent."""
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + confidence / 2))
    share, scale = positives / encounters, 1 + z * z / encounters
    centre = (share + z * z / (2 * encounters)) / scale
    spread = share * (1 - share) / encounters + z * z / (4 * encounters**2)
    half = z / scale * float(np.sqrt(spread))
    return centre - half, centre + half
