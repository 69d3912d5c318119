"""How much each of several models counts, by what it says of labelled encounters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.combining.pool import Labelled, Pool
from concept_transfer.models.score_regression import Regression

SLOPE = 16.0  # precision of a recalibration's slope: it varies by a quarter about 1
POOL_SLOPE = 64.0  # the same of a pool of recalibrated models
AT_ONCE = 1 << 22  # log probabilities that are recalibrated together
DRAWS = 400  # of the Bayesian bootstrap
DRAWS_AT_ONCE = 1 << 22  # numbers of it that are in memory together
TEMPER = 0.5  # share of the log score that counts


def recalibrated(labelled: Labelled) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope [C] and intercepts [C, classes] of each model, drawn towards 1 and 0."""
    parts = np.array_split(labelled.scores, max(1, labelled.scores.size // AT_ONCE))
    found = [
        Regression(part[..., None], labelled.labels, np.ones(1), SLOPE).fit()
        for part in parts
        if len(part)
    ]
    intercepts, slopes = (np.concatenate(each) for each in zip(*found, strict=True))
    return slopes[:, 0], intercepts


def weighted_by_evidence(labelled: Labelled, rng: np.random.Generator) -> Pool:
    """Every model recalibrated, and weighted by the probability that it predicts best.

    Pseudo-BMA+ (Yao et al. 2018, doi:10.1214/17-BA1091): the weights are those of the exponential
    of the log score, averaged over a Bayesian bootstrap of the clusters, so that models whose
    order is open share. The log score counts half, because a model's scores of encounters that
    shared its training are not independent (Gruenwald 2012, doi:10.1007/978-3-642-34106-9_16).
    """
    slopes, intercepts = recalibrated(labelled)
    scores = slopes[:, None, None] * labelled.scores + intercepts[:, None]
    weights = bootstrapped_weights(log_scores(scores, labelled.labels), labelled.clusters, rng)
    return stretched(Pool(weights * slopes, weights @ intercepts), labelled)


def stretched(pool: Pool, labelled: Labelled) -> Pool:
    """The pool recalibrated: a mean of calibrated models is too timid (of probabilities: Ranjan,
    Gneiting 2010, doi:10.1111/j.1467-9868.2009.00726.x; of log probabilities likewise)."""
    scores = pool.intercept + np.tensordot(pool.weights, labelled.scores, 1)
    found = Regression(scores[None, ..., None], labelled.labels, np.ones(1), POOL_SLOPE).fit()
    (intercept,), (slope,) = found
    return Pool(slope * pool.weights, slope * pool.intercept + intercept)


def log_scores(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """The log probability [C, n] of each encounter's class, from scores [C, n, classes]."""
    top = scores.max(axis=2)
    total = top + np.log(np.exp(scores - top[..., None]).sum(axis=2))
    return np.asarray(scores[:, np.arange(len(labels)), labels] - total)


def bootstrapped_weights(
    said: NDArray[np.float64], clusters: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Weights [C], which sum to 1, of models with log scores [C, n]."""
    numbers, place = np.unique(clusters, return_inverse=True)
    by_cluster = np.stack([np.bincount(place, each, len(numbers)) for each in said], axis=1)
    at_once = max(1, DRAWS_AT_ONCE // max(1, len(numbers)))
    total = np.zeros(len(said))
    for first in range(0, DRAWS, at_once):
        share = rng.standard_exponential((min(at_once, DRAWS - first), len(numbers)))
        share *= len(numbers) / share.sum(axis=1, keepdims=True)
        evidence = TEMPER * share @ by_cluster
        likelihood = np.exp(evidence - evidence.max(axis=1, keepdims=True))
        total += (likelihood / likelihood.sum(axis=1, keepdims=True)).sum(axis=0)
    return total / DRAWS
