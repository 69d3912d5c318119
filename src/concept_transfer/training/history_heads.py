"""Heads on the features of an encoder that stays as it is: ridge multinomial regression.

Coefficients are normal about those of a head that was handed on, or about 0. Where features are
the log odds of the outcome's codes they are normal about those of the model as it came, with a
fixed variance: few labels then hardly move what ranks without any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from concept_transfer.models.baselines import losses
from concept_transfer.models.logistic_mode import INTERCEPT_PRECISION, SLOPE_PRECISION
from concept_transfer.models.multinomial import Multinomial
from concept_transfer.training.choosing import FEWEST_TO_CHOOSE

AS_IT_CAME = Multinomial(np.array([[0.0], [1.0]]), np.zeros(2))  # of log odds
VARIANCES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of coefficients, to choose among
USUAL = 2  # the place of the one that serves where labels are too few to choose
SMALLEST = 1e-9  # spread of a feature that says anything
ITERATIONS = 50
HALVINGS = 20
CLOSE = 1e-6  # change of the parameters at which they are found
ROUNDING = 1e-12  # of the objective, relative

Floats = NDArray[np.float64]
Folds = NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """features [n, F]; labels int8 [n]; weights [n]; count: number of classes; prior: the head to
    begin with, None for an untrained one."""

    features: Floats
    labels: NDArray[np.int8]
    weights: Floats
    count: int
    prior: Multinomial | None

    def select(self, rows: NDArray[np.bool_]) -> Labelled:
        chosen = self.features[rows], self.labels[rows], self.weights[rows]
        return replace(self, features=chosen[0], labels=chosen[1], weights=chosen[2])

    @property
    def are_log_odds(self) -> bool:
        return bool(self.features.shape[1] == 1)


@dataclass(frozen=True)
class Heads:
    """of_folds: fold -> the head that was fitted without it; none where the others hold one class;
    of_all: that of all encounters."""

    of_folds: dict[int, Multinomial]
    of_all: Multinomial


def fit_heads(data: Labelled, folds: Folds) -> Heads:
    """folds: int64 [n], -1 for encounters that are never left out. The variance is chosen by the
    folds, that of a fold's own head by the other folds."""
    variances = (1 / (2 * SLOPE_PRECISION),) if data.are_log_odds else VARIANCES
    paths: dict[int, list[Multinomial]] = {}
    lost: dict[int, Floats] = {}
    for fold in np.unique(folds[folds >= 0]).tolist():
        rest, out = data.select(folds != fold), data.select(folds == fold)
        if len(np.unique(rest.labels)) > 1:
            paths[fold] = [fit(rest, variance) for variance in variances]
            each = [losses(head.predict_proba(out.features), out.labels) for head in paths[fold]]
            lost[fold] = np.stack(each) @ out.weights
    counts = np.bincount(data.labels[folds >= 0])
    few = counts[counts > 0].min(initial=0) < FEWEST_TO_CHOOSE
    usual = min(USUAL, len(variances) - 1)

    def best(judging: Iterable[Floats]) -> int:
        known = list(judging)
        return usual if few or not known else int(np.argmin(sum(known)))

    of_folds = {
        fold: path[best(each for other, each in lost.items() if other != fold)]
        for fold, path in paths.items()
    }
    return Heads(of_folds, fit(data, variances[best(lost.values())]))


def fit(data: Labelled, variance: float) -> Multinomial:
    """The posterior mode, by Newton's method with step halving."""
    features, mean, spread = _scaled(data)
    design = np.hstack([features, np.ones((len(features), 1))])
    middle = np.zeros((data.count, design.shape[1]))
    if data.prior is not None:
        middle[:, :-1] = data.prior.coefficients * spread
        middle[:, -1] = data.prior.intercepts + data.prior.coefficients @ mean
    precision = np.full(design.shape[1], 1 / variance)
    precision[-1] = INTERCEPT_PRECISION
    found = _mode(design, data, middle, precision)
    coefficients = found[:, :-1] / spread
    return Multinomial(coefficients, found[:, -1] - coefficients @ mean)


def _mode(design: Floats, data: Labelled, middle: Floats, precision: Floats) -> Floats:
    """Coefficients [classes, P] of a design [n, P]; middle: [classes, P], about which they are
    normal with precisions [P]."""
    truth = np.eye(data.count)[data.labels]
    classes, width = middle.shape

    def objective(found: Floats) -> float:
        logs = log_softmax(design @ found.T, axis=1)
        away = found - middle
        return float((away**2 @ precision).sum() / 2 - data.weights @ (logs * truth).sum(axis=1))

    found, value = middle, objective(middle)
    for _ in range(ITERATIONS):
        probability = np.exp(log_softmax(design @ found.T, axis=1))
        excess = (probability - truth) * data.weights[:, None]
        slope = excess.T @ design + (found - middle) * precision
        curve = np.zeros((classes, width, classes, width))
        for k in range(classes):
            for other in range(classes):
                share = probability[:, k] * ((k == other) - probability[:, other])
                curve[k, :, other] = (design * (data.weights * share)[:, None]).T @ design
            curve[k, :, k] += np.diag(precision)
        size = classes * width
        step = np.linalg.solve(curve.reshape(size, size), slope.ravel()).reshape(classes, width)
        for _ in range(HALVINGS):
            reached = objective(found - step)
            if reached <= value + ROUNDING * abs(value):
                break
            step = step / 2
        found, value = found - step, reached
        if np.abs(step).max() < CLOSE:
            break
    return found


def _scaled(data: Labelled) -> tuple[Floats, Floats, Floats]:
    """Features of mean 0 and spread 1 (but log odds, whose slope has a meaning), means, spreads."""
    width = data.features.shape[1]
    if data.are_log_odds:
        return data.features, np.zeros(width), np.ones(width)
    mean, spread = data.features.mean(axis=0), data.features.std(axis=0)
    spread = np.where(spread < SMALLEST, 1, spread)
    return (data.features - mean) / spread, mean, spread
