"""Multinomial ridge logistic regression on tokens, its penalty chosen by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax

from concept_transfer.models.alignment import Affine
from concept_transfer.models.baselines import Arrays, losses
from concept_transfer.models.logistic_mode import INTERCEPT_PRECISION, SLOPE_PRECISION
from concept_transfer.models.penalties import (
    MOST_ROWS_TO_CHOOSE,
    VARIANCES,
    Floats,
    Folds,
    Path,
    best,
    paths_by_fold,
)
from concept_transfer.models.recalibration import Recalibration

OPTIONS = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-9, "gtol": 1e-5}  # of the mean loss


@dataclass(frozen=True)
class Multinomial:
    """Scores whose softmax are the probabilities of K classes.

    coefficients: float64 [K, tokens]; intercepts: float64 [K], minus infinity for a class that
    training did not know.
    """

    coefficients: Floats
    intercepts: Floats

    def predict_proba(self, findings: csr_array) -> Floats:
        """Probability of every class [n, K] of findings [n, tokens]."""
        scores = findings @ self.coefficients.T + self.intercepts
        return np.asarray(softmax(scores, axis=1))

    def recalibrated(self, change: Recalibration) -> Multinomial:
        intercepts = change.slope * self.intercepts + change.intercepts
        return Multinomial(change.slope * self.coefficients, intercepts)

    def mapped(self, change: Affine) -> Multinomial:
        intercepts = self.intercepts + self.coefficients @ change.shift
        return Multinomial(self.coefficients @ change.matrix.T, intercepts)

    def arrays(self) -> Arrays:
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Multinomial:
        return cls(**arrays)


@dataclass(frozen=True)
class Classes:
    """Encounters of K classes, and the model that was handed on, if there is one.

    findings: 0/1 [n, tokens]; labels: int8 [n]; weights: [n], each encounter's in the likelihood;
    prior: its scores are expected but for an intercept a class and a slope.
    """

    findings: csr_array
    labels: NDArray[np.int8]
    weights: Floats
    count: int
    prior: Multinomial | None = None

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Classes:
        """Some of the encounters."""
        chosen = self.findings[rows], self.labels[rows], self.weights[rows]
        return Classes(*chosen, self.count, self.prior)

    def reweighed(self, weights: Floats) -> Classes:
        """The same encounters with other weights [n]."""
        return replace(self, weights=weights)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Which classes some encounter has, [K]."""
        return np.bincount(self.labels, minlength=self.count) > 0

    @cached_property
    def expected(self) -> Multinomial:
        """The model before anything is learned: that handed on, in which a class that it does not
        know is the mean of the others; a class that none knows has no chance."""
        if self.prior is None:
            lines = np.zeros((self.count, self.findings.shape[1]))
            return Multinomial(lines, np.where(self.present, 0.0, -np.inf))
        given, known = self.prior, np.isfinite(self.prior.intercepts)
        mean = given.intercepts[known].mean()
        unknown = np.where(self.present, mean, -np.inf)
        return Multinomial(
            np.where(known[:, None], given.coefficients, given.coefficients[known].mean(axis=0)),
            np.where(known, given.intercepts, unknown),
        )


def cross_fit(data: Classes, folds: Folds) -> tuple[Multinomial, Floats]:
    """The model of encounters, and probabilities [n, K] by models without an encounter's fold.

    folds: int64 [n], -1 for encounters that are never left out; NaN for these, and where the labels
    beside a fold are of one class. A class that training lacks stays as it was handed on.
    """
    paths = paths_by_fold(data, folds, path_along)
    all_judged = (folds >= 0).sum() <= MOST_ROWS_TO_CHOOSE
    held = np.full((len(data.labels), data.count), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        out = folds == fold
        place = best(path for other, path in paths.items() if other != fold)
        if all_judged and fold in paths:
            held[out] = paths[fold].scores[place]
        elif len(np.unique(data.labels[~out])) > 1:
            held[out] = fit(data.take(~out), VARIANCES[place]).predict_proba(data.findings[out])
    return fit(data, VARIANCES[best(paths.values())]), held


def path_along(data: Classes, out: NDArray[np.bool_]) -> Path:
    """What is said of the encounters that are left out, bool [n], at every variance: risks."""
    rest, test = data.take(~out), data.take(out)
    found: Floats | None = None
    said = np.empty((len(VARIANCES), len(test.labels), data.count))
    for place, variance in enumerate(VARIANCES):
        found = parameters(rest, variance, found)
        said[place] = model(rest, found).predict_proba(test.findings)
    each = np.stack([losses(probability, test.labels) for probability in said])
    return Path(each @ test.weights, said)


def fit(data: Classes, variance: float) -> Multinomial:
    """The mode at one variance of the coefficients."""
    return model(data, parameters(data, variance))


def model(data: Classes, found: Floats) -> Multinomial:
    """With what was learned, see `parameters`."""
    intercepts, slope, weights = _parts(data, found)
    expected = data.expected
    return Multinomial(
        slope * expected.coefficients + weights,
        np.where(np.isinf(expected.intercepts), -np.inf, slope * expected.intercepts + intercepts),
    )


def parameters(data: Classes, variance: float, start: Floats | None = None) -> Floats:
    """What is learned beside the expected scores: an intercept a class, how much the slope differs
    from 1, and coefficients [K, tokens], at the mode, by L-BFGS; start: those to begin with."""
    count, tokens = data.count, data.findings.shape[1]
    free = np.repeat(data.present, tokens)
    free = np.concatenate([data.present, [data.prior is not None], free]).astype(float)
    fixed = [np.full(count, INTERCEPT_PRECISION), [SLOPE_PRECISION]]
    precision = np.concatenate([*fixed, np.full(count * tokens, 1 / variance)])
    barred = np.isinf(data.expected.intercepts)
    offset = data.findings @ data.expected.coefficients.T
    offset += np.where(barred, 0.0, data.expected.intercepts)
    rows, total = np.arange(len(data.labels)), data.weights.sum()

    def loss(held: Floats) -> tuple[float, Floats]:
        intercepts, slope, weights = _parts(data, held)
        scores = slope * offset + intercepts + data.findings @ weights.T
        scores[:, barred] = -np.inf
        logs = log_softmax(scores, axis=1)
        likelihood = data.weights @ logs[rows, data.labels]
        excess = np.exp(logs)
        excess[rows, data.labels] -= 1
        excess *= data.weights[:, None]
        pull = [excess.sum(axis=0), [(excess * offset).sum()], (data.findings.T @ excess).T.ravel()]
        value = 0.5 * precision @ held**2 - likelihood
        return value / total, free * (precision * held + np.concatenate(pull)) / total

    begin = np.zeros(len(precision)) if start is None else start
    return np.asarray(minimize(loss, begin, jac=True, method="L-BFGS-B", options=OPTIONS).x)


def _parts(data: Classes, found: Floats) -> tuple[Floats, float, Floats]:
    """Intercepts [K], slope, and coefficients [K, tokens]."""
    intercepts, slope, weights = np.split(found, [data.count, data.count + 1])
    return intercepts, 1 + float(slope[0]), weights.reshape(data.count, -1)
