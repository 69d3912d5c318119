"""Ridge logistic regression as `models.ridge_logistic` chooses it, in plain scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from concept_transfer.models.amplitudes import DEVIATION, SLOPE_PRECISION, USUAL_DECADE
from concept_transfer.models.penalties import USUAL, VARIANCES

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    coefficients: Floats
    intercept: float

    def predict_proba(self, x: Any) -> Floats:
        risk = expit(x @ self.coefficients + self.intercept)
        return np.stack([1 - risk, risk], axis=1)


@dataclass(frozen=True)
class Held:
    """What findings add to the log odds of their mean, and the log odds: [variances, n]."""

    added: Floats
    logits: Floats


def cross_validated_ridge(
    x: Any, y: Any, folds: NDArray[np.int64], weights: Any = None
) -> tuple[Line, Floats]:
    """The model of all rows, and probabilities [n] of the first rows, those with a fold, by models
    without it and by what the other folds choose."""
    weights = np.ones(len(y)) if weights is None else weights
    fold = np.concatenate([folds, np.full(len(y) - len(folds), -1)])
    held = Held(*np.full((2, len(VARIANCES), len(folds)), np.nan))
    for number in set(folds):
        rest = fold != number
        penalty_an_encounter = weights.sum() / weights[rest].sum()
        for place, variance in enumerate(VARIANCES):
            coefficients, intercept, mean = fitted(
                x[rest], y[rest], weights[rest], variance * penalty_an_encounter
            )
            out = x[~rest]
            held.added[place, folds == number] = (out - mean) @ coefficients
            held.logits[place, folds == number] = out @ coefficients + intercept
    own = np.arange(len(folds))
    stretches = weights[own].sum() >= weights[len(own) :].sum()
    honest = np.zeros(len(folds))
    for number in set(folds):
        place, change = choice(held, y[own], weights[own], folds != number, stretches)
        logits = change[0] + change[1] * held.added[place] if change else held.logits[place]
        honest[folds == number] = expit(logits[folds == number])
    place, change = choice(held, y[own], weights[own], folds >= 0, stretches)
    coefficients, intercept, mean = fitted(x, y, weights, VARIANCES[place])
    if change:
        coefficients = change[1] * coefficients
        intercept = change[0] - mean @ coefficients
    return Line(coefficients, float(intercept)), honest


def fitted(x: Any, y: Any, weights: Any, variance: float) -> tuple[Floats, float, Floats]:
    """Coefficients, intercept, and the mean of the findings."""
    model = LogisticRegression(C=variance, tol=1e-9, max_iter=10_000)
    model.fit(x, y, sample_weight=weights)
    return model.coef_[0], float(model.intercept_[0]), np.average(x, axis=0, weights=weights)


def choice(
    held: Held, y: Any, weights: Any, judged: NDArray[np.bool_], stretches: bool
) -> tuple[int, tuple[float, float] | None]:
    """The place of a variance, and the intercept and slope of what findings add."""
    y, weights = y[judged], weights[judged]
    if not stretches:
        logits = held.logits[:, judged]
        return int(np.argmin((np.logaddexp(0, logits) - y * logits) @ weights)), None
    likelihood, changes = [], []
    for added in held.added[:, judged]:
        unit = (added / added.std())[:, None]
        model = LogisticRegression(C=1 / SLOPE_PRECISION, tol=1e-9, max_iter=10_000)
        model.fit(unit, y, sample_weight=weights)
        chance = model.predict_log_proba(unit)[np.arange(len(y)), y.astype(int)]
        likelihood.append(weights @ chance)
        changes.append((float(model.intercept_[0]), float(model.coef_[0, 0] / added.std())))
    prior = norm(USUAL_DECADE, DEVIATION).logpdf(np.log10(VARIANCES))
    place = int(np.argmax(prior + np.array(likelihood)))
    return (place, changes[place]) if changes[place][1] > 0 else (USUAL, None)
