"""Amplitude and share of a prior covariance, from leave-one-out predictions.

All amplitudes are compared after one Newton step from the model without findings, where they share
an eigendecomposition and leave-one-out predictions have a closed form, that of ridge regression
(Allen 1974, doi:10.1080/00401706.1974.10489157).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.special import expit, log_softmax, logsumexp, softmax

from concept_transfer.models.logistic_mode import Floats, TwoClasses, mode
from concept_transfer.models.token_design import Covariance, Design

DECADES = np.linspace(-4, 1, 11)  # log10 of amplitudes
USUAL_DECADE, DEVIATION = -2.5, 0.75  # their prior's mean and standard deviation
SHARES = np.array([0.0, 0.1, 0.3, 0.6, 0.9])
COST = 1.0  # of the slope, one parameter more, in log likelihood (Akaike 1974)
SLOPE_PRECISION = 0.5  # of what one standard deviation of the scores adds to the log odds
MOST_STEPS, TOLERANCE = 50, 1e-6


@dataclass(frozen=True)
class Chosen:
    """A covariance, and the probability that findings tell anything."""

    covariance: Covariance
    belief: float


def choose(design: Design) -> Chosen:
    """Means over a grid, weighted by the prior and by the likelihood of leave-one-out predictions.

    (Geisser, Eddy 1979, doi:10.1080/01621459.1979.10481632; Yao et al. 2018,
    doi:10.1214/17-BA1091.) The model without findings is as probable beforehand as all others.
    """
    data, null = design.data, design.null.logits
    shares = SHARES if design.vectors.any() else SHARES[:1]
    scores = np.concatenate([one_step(design, share) for share in shares])
    prior = log_softmax(-0.5 * ((DECADES - USUAL_DECADE) / DEVIATION) ** 2) - np.log(len(shares))
    found = with_slopes(scores, data)[0].reshape(len(shares), -1) + prior - COST
    without = data.weights @ (data.labels * null - np.logaddexp(0, null))
    weights = softmax(found)
    amplitude = 10 ** float(weights.sum(axis=0) @ DECADES)
    share = float(weights.sum(axis=1) @ shares)
    return Chosen(Covariance(amplitude, share), float(expit(logsumexp(found) - without)))


def one_step(design: Design, share: float) -> Floats:
    """What findings add to the log odds, leave-one-out, at every amplitude: [amplitudes, n]."""
    weight = np.sqrt(design.null.curvature)
    root = weight[:, None] * design.root(share)
    values, basis = eigh(root.T @ root, check_finite=False)
    kept = values > 1e-9 * values[-1]
    values, basis = values[kept], (root @ basis[:, kept]) / np.sqrt(values[kept])
    working = design.null.residuals / weight
    shrunk = 1 / (1 + 10 ** -DECADES[:, None] / values)
    fitted = (shrunk * (working @ basis)) @ basis.T
    leverage = shrunk @ (basis**2).T
    left_out = fitted - leverage / (1 - leverage) * (working - fitted)
    return np.asarray(left_out / weight)


def with_slopes(scores: Floats, data: TwoClasses) -> tuple[Floats, Floats]:
    """Log likelihood [G] of fixed columns and scores [G, n], and their coefficients [G, fixed + 1].

    The coefficients are at their mode; scores of a negative slope are left out.
    """
    spread = np.maximum(scores.std(axis=1), np.finfo(np.float64).tiny)
    unit = (scores / spread[:, None])[..., None]
    fixed = np.broadcast_to(data.fixed, (len(scores), *data.fixed.shape))
    columns = np.concatenate([fixed, unit], axis=2)
    precision = np.append(data.precision, SLOPE_PRECISION)
    null = mode(data, data.fixed, data.precision)
    held = np.tile(np.append(null.coefficients, 0.0), (len(scores), 1))
    for _ in range(MOST_STEPS):
        probability = expit(data.offset + (columns @ held[..., None])[..., 0])
        residuals = data.weights * (data.labels - probability)
        curvature = data.weights * probability * (1 - probability)
        hessian = columns.mT @ (columns * curvature[..., None]) + np.diag(precision)
        gradient = (columns.mT @ residuals[..., None])[..., 0] - precision * held
        steps = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        steps /= np.maximum(1, np.abs(steps).max(axis=1, keepdims=True))
        held = held + steps
        if np.abs(steps).max() < TOLERANCE:
            break
    held[held[:, -1] < 0] = np.append(null.coefficients, 0.0)
    logits = data.offset + (columns @ held[..., None])[..., 0]
    likelihood = (data.labels * logits - np.logaddexp(0, logits)) @ data.weights
    held[:, -1] /= spread
    return likelihood, held
