"""Ridge logistic regression on [one-hot, E], its one penalty chosen by cross-validation.

On tokens it is the prior N(0, c (I + E E')) of their weights, the vectors E at a mean norm of 1;
the penalty is 1 / c.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.bayesian_logistic import MOST_DENSE, columns_of
from concept_transfer.models.logistic_mode import Floats, Mode, TwoClasses, mode
from concept_transfer.models.penalties import (
    MOST_ROWS_TO_CHOOSE,
    VARIANCES,
    Folds,
    Path,
    best,
    paths_by_fold,
)
from concept_transfer.models.sparse_mode import sparse_mode
from concept_transfer.models.token_design import Covariance, Design, of_mean_norm_one
from concept_transfer.models.token_scores import Line


def cross_fit(data: TwoClasses, folds: Folds, vectors: Floats | None) -> tuple[Line, Floats]:
    """The model of encounters, and the log odds [n] of models without an encounter's fold.

    folds: int64 [n], -1 for encounters that are never left out; vectors: [tokens, width]. The folds
    choose the penalty when left out, that of the models without a fold by the other folds.
    """
    paths = paths_by_fold(data, folds, partial(path_along, vectors=vectors))
    all_judged = (folds >= 0).sum() <= MOST_ROWS_TO_CHOOSE
    held = np.full(len(data), np.nan)
    near: Mode | None = None
    for fold in np.unique(folds[folds >= 0]):
        out = folds == fold
        place = best(path for other, path in paths.items() if other != fold)
        if all_judged and fold in paths:
            held[out] = paths[fold].scores[place]
        else:
            held[out], near = left_out(data, out, VARIANCES[place], vectors, near)
    return fit_with(data, VARIANCES[best(paths.values())], vectors), held


def path_along(data: TwoClasses, out: NDArray[np.bool_], vectors: Floats | None) -> Path:
    """What is said of the encounters that are left out, bool [n], at every variance: log odds."""
    rest = data.without(out)
    columns, precisions = path_of(design_of(rest, vectors))
    found: Mode | None = None
    scores = np.empty((len(VARIANCES), out.sum()))
    for place, precision in enumerate(precisions):
        found = mode(rest, columns, precision, found)
        scores[place] = found.logits[out]
    losses = np.logaddexp(0, scores) - data.labels[out] * scores
    return Path(losses @ data.weights[out], scores)


def left_out(
    data: TwoClasses,
    out: NDArray[np.bool_],
    variance: float,
    vectors: Floats | None,
    near: Mode | None,
) -> tuple[Floats, Mode | None]:
    """Log odds of the encounters that are left out, bool [n]; and the mode, where it is dense."""
    rest = data.without(out)
    design = design_of(rest, vectors)
    if design.size > MOST_DENSE:
        return fit_with(data.take(~out), variance, vectors).logits(data.findings[out]), None
    columns, (precision,) = path_of(design, [variance])
    found = mode(rest, columns, precision, near)
    return found.logits[out], found


def fit_with(data: TwoClasses, variance: float, vectors: Floats | None) -> Line:
    """The mode at one variance."""
    design, covariance = design_of(data, vectors), covariance_of(variance)
    if design.size > MOST_DENSE:
        return design.line(*sparse_mode(data, design, covariance))
    columns, (precision,) = path_of(design, [variance])
    found = mode(data, columns, precision)
    weights = design.weights(found.residuals, covariance)
    return design.line(weights, found.coefficients[: len(data.precision)])


def path_of(
    design: Design, variances: Sequence[float] | Floats = VARIANCES
) -> tuple[Floats, Floats]:
    """Columns [n, c] of the log odds, and the precisions of their coefficients at each variance."""
    columns, precision = columns_of(design, covariance_of(1))
    fixed = len(design.data.precision)
    return columns, np.stack(
        [np.append(precision[:fixed], precision[fixed:] / each) for each in variances]
    )


def design_of(data: TwoClasses, vectors: Floats | None) -> Design:
    tokens = data.findings.shape[1]
    return Design.of(data, np.ones(tokens), of_mean_norm_one(vectors, tokens))


def covariance_of(variance: float) -> Covariance:
    """c (I + E E')."""
    return Covariance(2 * variance, 0.5)
