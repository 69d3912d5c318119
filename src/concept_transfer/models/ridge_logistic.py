"""Ridge logistic regression on [one-hot, E], its one penalty chosen by cross-validation.

On tokens it is the prior N(0, c (I + E E')) of their weights, the vectors E at a mean norm of 1;
the penalty is 1 / c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.bayesian_logistic import MOST_DENSE, columns_of, evenly
from concept_transfer.models.logistic_mode import Floats, TwoClasses, mode
from concept_transfer.models.sparse_mode import sparse_mode
from concept_transfer.models.token_design import Covariance, Design, of_mean_norm_one
from concept_transfer.models.token_scores import Line

VARIANCES = np.logspace(-5, 1, 9)  # c
USUAL_VARIANCE = 0.1  # where folds cannot choose

Folds = NDArray[np.int64]


def fit(data: TwoClasses, folds: Folds, vectors: Floats | None) -> Line:
    """The model of encounters; those of a fold (0 or more) choose the penalty when left out.

    folds: int64 [n], -1 for encounters that are never left out; vectors: [tokens, width].
    """
    losses = losses_by_fold(data, folds, vectors)
    return fit_with(data, best(list(losses.values())), vectors)


def cross_fit(data: TwoClasses, folds: Folds, vectors: Floats | None) -> tuple[Line, Floats]:
    """The same model, and the log odds [n] of models without an encounter's fold.

    Their penalty is chosen by the losses of the other folds.
    """
    losses = losses_by_fold(data, folds, vectors)
    held = np.full(len(data), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        out = folds == fold
        variance = best([loss for other, loss in losses.items() if other != fold])
        held[out] = fit_with(data.take(~out), variance, vectors).logits(data.findings[out])
    return fit_with(data, best(list(losses.values())), vectors), held


def best(losses: list[Floats]) -> float:
    """The variance of the least sum of losses [folds][variances]."""
    return float(VARIANCES[np.argmin(sum(losses))]) if losses else USUAL_VARIANCE


def losses_by_fold(data: TwoClasses, folds: Folds, vectors: Floats | None) -> dict[int, Floats]:
    """Log loss of each fold, left out, at every variance; folds whose training lacks a class do not
    count. Of many encounters some stand for all."""
    rows = evenly(len(data))
    data, folds = data.take(rows), folds[rows]
    losses = {}
    for fold in np.unique(folds[folds >= 0]).tolist():
        out = folds == fold
        if len(np.unique(data.labels[~out])) == 2:
            losses[fold] = losses_along(data.take(~out), data.take(out), vectors)
    return losses


def losses_along(train: TwoClasses, test: TwoClasses, vectors: Floats | None) -> Floats:
    """Log loss of the test encounters at every variance; each mode starts from the one before."""
    design, start = design_of(train, vectors), None
    losses = np.empty(len(VARIANCES))
    for place, variance in enumerate(VARIANCES):
        columns, precision = columns_of(design, covariance_of(variance))
        found = mode(train, columns, precision, start)
        start = found.coefficients
        weights = design.weights(found.residuals, covariance_of(variance))
        line = design.line(weights, start[: len(train.precision)])
        logits = line.logits(test.findings)
        losses[place] = test.weights @ (np.logaddexp(0, logits) - test.labels * logits)
    return losses


def fit_with(data: TwoClasses, variance: float, vectors: Floats | None) -> Line:
    """The mode at one variance."""
    design, covariance = design_of(data, vectors), covariance_of(variance)
    if design.size > MOST_DENSE:
        return design.line(*sparse_mode(data, design, covariance))
    found = mode(data, *columns_of(design, covariance))
    weights = design.weights(found.residuals, covariance)
    return design.line(weights, found.coefficients[: len(data.precision)])


def design_of(data: TwoClasses, vectors: Floats | None) -> Design:
    tokens = data.findings.shape[1]
    return Design.of(data, np.ones(tokens), of_mean_norm_one(vectors, tokens))


def covariance_of(variance: float) -> Covariance:
    """c (I + E E')."""
    return Covariance(2 * variance, 0.5)
