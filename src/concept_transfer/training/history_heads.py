"""Heads on the features of an encoder that stays as it is: penalised multinomial regression.

A head that was handed on is the prior mean but for a slope and intercepts; so is, where features
are the log odds of the outcome's codes, the pre-trained model as it came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.multinomial import Classes, Multinomial, fit, path_along
from concept_transfer.models.penalties import VARIANCES, best, paths_by_fold

AS_IT_CAME = Multinomial(np.array([[0.0], [1.0]]), np.zeros(2))  # of log odds

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
        return replace(
            self,
            features=self.features[rows],
            labels=self.labels[rows],
            weights=self.weights[rows],
        )


@dataclass(frozen=True)
class Heads:
    """of_folds: fold -> the head that was fitted without it; none where the others hold one class;
    of_all: that of all encounters."""

    of_folds: dict[int, Multinomial]
    of_all: Multinomial


def fit_heads(data: Labelled, folds: Folds) -> Heads:
    """folds: int64 [n], -1 for encounters that are never left out. The penalty is chosen by the
    folds, that of a fold's own head by the other folds."""
    if data.features.shape[1] == 1:  # log odds: a slope and intercepts alone
        choose = dict.fromkeys(np.unique(folds[folds >= 0]).tolist(), 0)
        of_all = 0
    else:
        paths = paths_by_fold(_scaled(data)[0], folds, path_along)
        choose = {
            fold: best(path for other, path in paths.items() if other != fold)
            for fold in np.unique(folds[folds >= 0]).tolist()
        }
        of_all = best(paths.values())
    return Heads(
        {
            fold: _fitted(rest, place)
            for fold, place in choose.items()
            for rest in [data.select(folds != fold)]
            if len(np.unique(rest.labels)) > 1
        },
        _fitted(data, of_all),
    )


def _fitted(data: Labelled, place: int) -> Multinomial:
    classes, mean, spread = _scaled(data)
    found = fit(classes, float(VARIANCES[place]))
    coefficients = found.coefficients / spread
    return Multinomial(coefficients, found.intercepts - coefficients @ mean)


def _scaled(data: Labelled) -> tuple[Classes, Floats, Floats]:
    """Features of mean 0 and spread 1, but for log odds, whose slope has a meaning."""
    mean, spread = np.zeros(data.features.shape[1]), np.ones(data.features.shape[1])
    if data.features.shape[1] > 1:
        mean, spread = data.features.mean(axis=0), data.features.std(axis=0)
        spread[spread < 1e-9] = 1
    prior = data.prior
    if prior is not None:
        prior = Multinomial(
            prior.coefficients * spread, prior.intercepts + prior.coefficients @ mean
        )
    features = (data.features - mean) / spread
    return Classes(features, data.labels, data.weights, data.count, prior), mean, spread
