"""The mode of many encounters with many tokens, without a dense matrix."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from concept_transfer.models.logistic_mode import Floats, TwoClasses
from concept_transfer.models.token_design import Covariance, Design


def sparse_mode(data: TwoClasses, design: Design, covariance: Covariance) -> tuple[Floats, Floats]:
    """Weights of the tokens [tokens] and coefficients of `data.fixed`, by L-BFGS.

    data: encounters of the design, or some of them. The weights, times the scale, are
    sqrt(amplitude (1 - share)) u + sqrt(amplitude share) E v, with u and v N(0, I); of what they
    make of findings, the log odds have what the fixed columns do not foretell.
    """
    own = np.sqrt(covariance.amplitude * (1 - covariance.share)) / design.scale
    common = np.sqrt(covariance.amplitude * covariance.share) / design.scale
    vectors, fixed = design.vectors, data.fixed.shape[1]
    places = np.cumsum([fixed, len(own)])
    precision = np.ones(places[-1] + vectors.shape[1])
    precision[:fixed] = data.precision

    def weights_of(parameters: Floats) -> Floats:
        _, u, v = np.split(parameters, places)
        return np.asarray(own * u + common * (vectors @ v))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weights = weights_of(parameters)
        coefficients = parameters[:fixed] - design.foretold @ weights
        logits = data.offset + data.fixed @ coefficients + data.findings @ weights
        residuals = data.weights * (data.labels - expit(logits))
        likelihood = data.weights @ (data.labels * logits - np.logaddexp(0, logits))
        total = data.fixed.T @ residuals
        pull = data.findings.T @ residuals - design.foretold.T @ total
        parts = [total, own * pull, vectors.T @ (common * pull)]
        penalty = 0.5 * precision @ parameters**2
        return float(penalty - likelihood), precision * parameters - np.concatenate(parts)

    options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-7 * data.weights.sum()}
    start = np.zeros(len(precision))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    return weights_of(found), found[:fixed]
