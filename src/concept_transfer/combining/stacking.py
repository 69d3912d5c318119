"""Stacked models: a logistic regression on their log probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.cross_fitting import grouped_folds
from concept_transfer.combining.pool import Labelled, Pool
from concept_transfer.combining.weights import bootstrapped_weights, log_scores, recalibrated
from concept_transfer.models.score_regression import Regression

PRECISIONS = (1000.0, 100.0, 30.0, 10.0, 3.0)  # of the coefficients


def stacked(labelled: Labelled, rng: np.random.Generator) -> Pool:
    """Non-negative coefficients of the recalibrated models, drawn towards `weighted_by_evidence`.

    Stacked generalization (Wolpert 1992; Breiman 1996, doi:10.1007/BF00117832; ridge: Le Blanc,
    Tibshirani 1996). How firmly they are drawn is chosen by the log score in cross-validation by
    cluster.
    """
    slopes, intercepts = recalibrated(labelled)
    scores = slopes[:, None, None] * labelled.scores + intercepts[:, None]
    centre = bootstrapped_weights(log_scores(scores, labelled.labels), labelled.clusters, rng)
    folds = grouped_folds(labelled.clusters, labelled.labels)
    reached = np.zeros(len(PRECISIONS))
    for fold in np.unique(folds):
        reached += _held_out(scores, labelled.labels, folds == fold, centre)
    precision = PRECISIONS[int(np.argmax(reached))]
    (intercept,), (weights,) = _regression(scores, labelled.labels, centre, precision).fit()
    return Pool(weights * slopes, intercept + weights @ intercepts)


def _held_out(
    scores: NDArray[np.float64],
    labels: NDArray[np.int8],
    held: NDArray[np.bool_],
    centre: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The log score of encounters that are left out, at every precision."""
    reached, start = np.empty(len(PRECISIONS)), centre
    for place, precision in enumerate(PRECISIONS):
        fitted = _regression(scores[:, ~held], labels[~held], centre, precision).fit(start)
        (intercept,), (start,) = fitted
        combined = intercept + np.tensordot(start, scores[:, held], 1)
        reached[place] = log_scores(combined[None], labels[held]).sum()
    return reached


def _regression(
    scores: NDArray[np.float64],
    labels: NDArray[np.int8],
    centre: NDArray[np.float64],
    precision: float,
) -> Regression:
    return Regression(np.moveaxis(scores, 0, -1)[None], labels, centre, precision)
