"""The mode of a logistic regression with Gaussian coefficients; its leave-one-out predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array
from scipy.special import expit

from concept_transfer.models.token_scores import Line

Floats = NDArray[np.float64]

INTERCEPT_PRECISION = 1e-3
TOLERANCE = 1e-10  # of what a further step would add to the log posterior of an encounter
MOST_STEPS = 100
LEAST_CURVATURE = 1e-10  # of an encounter that is certain
SERVES = 0.2  # a step promises so much of the one before: second derivatives may stay as they are
SLOPE_PRECISION = 4.0  # of the slope of a handed-on model's log odds, about 1


@dataclass(frozen=True)
class TwoClasses:
    """Encounters of two classes, and the model that was handed on, if there is one.

    findings: 0/1 [n, tokens]; labels: 0/1 float64 [n]; weights: [n], each encounter's in the
    likelihood; prior: its log odds are expected but for an intercept and a slope.
    """

    findings: csr_array
    labels: Floats
    weights: Floats
    prior: Line | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> TwoClasses:
        """Some of the encounters."""
        return TwoClasses(self.findings[rows], self.labels[rows], self.weights[rows], self.prior)

    def reweighed(self, weights: Floats) -> TwoClasses:
        """The same encounters with other weights [n]."""
        return replace(self, weights=weights)

    def without(self, rows: NDArray[np.bool_]) -> TwoClasses:
        """The same encounters, some of them with weight 0."""
        return self.reweighed(np.where(rows, 0.0, self.weights))

    @cached_property
    def offset(self) -> Floats:
        """The log odds before anything is learned, [n]."""
        if self.prior is None:
            return np.zeros(len(self))
        return self.prior.logits(self.findings)

    @cached_property
    def fixed(self) -> Floats:
        """Columns of the intercept and, if there is one, of the handed-on model: [n, 1 or 2]."""
        columns = [np.ones(len(self))] + ([] if self.prior is None else [self.offset])
        return np.stack(columns, axis=1)

    @property
    def precision(self) -> Floats:
        """Of the coefficients of `fixed`, [1 or 2]."""
        return np.array([INTERCEPT_PRECISION, SLOPE_PRECISION])[: self.fixed.shape[1]]

    def line(self, weights: Floats, coefficients: Floats) -> Line:
        """The model whose tokens add weights [tokens] to what coefficients [1 or 2] of `fixed`
        make of the prior."""
        if self.prior is None:
            return Line(weights, float(coefficients[0]))
        slope = 1 + coefficients[1]
        return Line(
            slope * self.prior.coefficients + weights,
            float(slope * self.prior.intercept + coefficients[0]),
        )


@dataclass(frozen=True)
class Mode:
    """Where the posterior of coefficients is largest.

    coefficients: [columns]; logits: [n]; residuals: [n], labels less probabilities, weighted;
    curvature: [n], minus the likelihood's second derivatives in the logits; curves: [columns,
    columns], minus those in the coefficients; factor: Cholesky factor of minus the posterior's, as
    `cho_solve` takes it.
    """

    coefficients: Floats
    logits: Floats
    residuals: Floats
    curvature: Floats
    curves: Floats
    factor: tuple[Floats, bool]


def mode(
    data: TwoClasses,
    columns: Floats,
    precision: Floats,
    near: Mode | None = None,
    known: Floats | float = 0.0,
) -> Mode:
    """Of coefficients N(0, 1 / precision) of columns [n, c], by damped Newton steps.

    near: where to start, a mode of such columns at other precisions or weights; its second
    derivatives are kept as long as steps with them converge (Shamanskii 1967,
    doi:10.1007/BF01089004), which spares most of the work where encounters are many.
    known: [n], what the log odds are known to have besides the columns and `data.offset`.
    """
    labels, weights, offset = data.labels, data.weights, data.offset + known
    held = np.zeros(columns.shape[1])
    curves = np.zeros((len(held), len(held)))
    if near is not None:
        held, curves = near.coefficients, near.curves
    factor = _factor(curves, precision)

    def posterior(logits: Floats, coefficients: Floats) -> float:
        likelihood = weights @ (labels * logits - np.logaddexp(0, logits))
        return float(likelihood - 0.5 * precision @ coefficients**2)

    logits = offset + columns @ held
    value, promised = posterior(logits, held), np.inf
    for _ in range(MOST_STEPS):
        probability = expit(logits)
        residuals = weights * (labels - probability)
        curvature = weights * np.maximum(probability * (1 - probability), LEAST_CURVATURE)
        gradient = columns.T @ residuals - precision * held
        step = cho_solve(factor, gradient, check_finite=False)
        if near is None or gradient @ step > SERVES * promised:
            curves = columns.T @ (columns * curvature[:, None])
            factor = _factor(curves, precision)
            step = cho_solve(factor, gradient, check_finite=False)
        promised = gradient @ step
        if promised < TOLERANCE * weights.sum():
            break
        along, length = columns @ step, 1.0
        while (reached := posterior(logits + length * along, held + length * step)) < value:
            length /= 2
        held, logits, value = held + length * step, logits + length * along, reached
    return Mode(held, logits, residuals, curvature, curves, factor)


def _factor(curves: Floats, precision: Floats) -> tuple[Floats, bool]:
    """Cholesky factor of a sum of second derivatives [c, c] and precisions [c]."""
    factor, lower = cho_factor(curves + np.diag(precision), lower=True, check_finite=False)
    return factor, lower


def leave_one_out(found: Mode, columns: Floats, fixed: int) -> Floats:
    """What the columns after the first `fixed` add to the logit of an encounter that the fit lacks.

    float64 [n], to first order (Rad, Maleki 2020, doi:10.1111/rssb.12374).
    """
    moves = cho_solve(found.factor, columns.T, check_finite=False)
    whole = np.einsum("ij,ji->i", columns, moves)
    part = np.einsum("ij,ji->i", columns[:, fixed:], moves[fixed:])
    lost = part * found.residuals / (1 - found.curvature * whole)
    return np.asarray(columns[:, fixed:] @ found.coefficients[fixed:] - lost)
