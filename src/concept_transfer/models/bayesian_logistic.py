"""Bayesian logistic regression on tokens whose weights know how near the tokens' vectors are.

The log odds are linear in Pareto-scaled findings, whose weights are
N(0, a ((1 - r) I + r E E')), with the vectors E centred and at a mean norm of 1: a Gaussian process
with a linear kernel (Rasmussen, Williams 2006, chapters 2 and 3). A handed-on model's log odds are
the prior mean, but for an intercept and a slope.

Amplitude a and share r come from leave-one-out predictions (`amplitudes`), compared at the slope of
these predictions that fits best; the final model gets the slope that its own leave-one-out
predictions lack (van Houwelingen, le Cessie 1990, doi:10.1002/sim.4780091109). So the amplitude
rules how tightly the direction of the weights is held, and the slope their length. The marginal
likelihood has but the amplitude for both; with few labels it prefers one that leaves the direction
to chance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.amplitudes import Chosen, choose, with_slopes
from concept_transfer.models.logistic_mode import Floats, TwoClasses, leave_one_out, mode
from concept_transfer.models.penalties import MOST_ROWS_TO_CHOOSE, evenly
from concept_transfer.models.sparse_mode import sparse_mode
from concept_transfer.models.token_design import (
    Covariance,
    Design,
    centred,
    of_mean_norm_one,
    pareto_scale,
)
from concept_transfer.models.token_scores import Line

MOST_DENSE = 1 << 22  # numbers of a dense matrix


def fit(data: TwoClasses, vectors: Floats | None) -> Line:
    """The model of encounters; vectors: [tokens, width], of any length."""
    scale = pareto_scale(data.findings)
    near = of_mean_norm_one(centred(vectors), len(scale))
    design = Design.of(data, scale, near)
    if len(data) <= MOST_ROWS_TO_CHOOSE:
        chosen = choose(design)
    else:
        chosen = choose(Design.of(data.take(evenly(len(data))), scale, near))
    return fit_sparse(design, chosen) if design.size > MOST_DENSE else fit_dense(design, chosen)


def cross_fit(
    data: TwoClasses, folds: NDArray[np.int64], vectors: Floats | None
) -> tuple[Line, Floats]:
    """The same model, and the log odds [n] of models without an encounter's fold.

    folds: int64 [n]; encounters of fold -1 are never left out, and have NaN.
    """
    held = np.full(len(data), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        out = folds == fold
        held[out] = fit(data.take(~out), vectors).logits(data.findings[out])
    return fit(data, vectors), held


def fit_dense(design: Design, chosen: Chosen) -> Line:
    """With a dense matrix; leave-one-out predictions tell the slope."""
    data = design.data
    columns, precision = columns_of(design, chosen.covariance)
    found = mode(data, columns, precision)
    scores = leave_one_out(found, columns, data.fixed.shape[1])
    weights = design.weights(found.residuals, chosen.covariance)
    return relaxed(design, chosen.belief, weights, with_slopes(scores[None], data)[1][0])


def fit_sparse(design: Design, chosen: Chosen) -> Line:
    """With sparse matrices alone; a tenth of the encounters tells the slope."""
    data = design.data
    tenth = np.arange(len(data)) % 10 == 0
    held = data.take(tenth)
    weights, _ = sparse_mode(data.take(~tenth), design, chosen.covariance)
    slope = with_slopes(scores_of(weights, design, held)[None], held)[1][0, -1]
    weights, _ = sparse_mode(data, design, chosen.covariance)
    known = slope * scores_of(weights, design, data)
    found = mode(data, data.fixed, data.precision, known=known)
    return relaxed(design, chosen.belief, weights, np.append(found.coefficients, slope))


def scores_of(weights: Floats, design: Design, data: TwoClasses) -> Floats:
    """What weights [tokens] add to the log odds that the fixed columns do not foretell, [n]."""
    return np.asarray(data.findings @ weights - data.fixed @ (design.foretold @ weights))


def relaxed(design: Design, belief: float, weights: Floats, coefficients: Floats) -> Line:
    """The mean of the model without findings and of one with tokens' weights [tokens].

    coefficients: [fixed + 1], of the fixed columns and of what the weights add to these.
    """
    fixed = (1 - belief) * design.null.coefficients + belief * coefficients[:-1]
    return design.line(belief * coefficients[-1] * weights, fixed)


def columns_of(design: Design, covariance: Covariance) -> tuple[Floats, Floats]:
    """Fixed and other columns [n, c] of the log odds, and the precisions of their coefficients."""
    root = np.sqrt(covariance.amplitude) * design.root(covariance.share)
    columns = np.hstack([design.data.fixed, root])
    return columns, np.append(design.data.precision, np.ones(root.shape[1]))
