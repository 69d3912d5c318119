"""Ratios of observed to expected counts, shrunken by what all pairs together show.

A count is Poisson with the mean ratio x expected; ratios of all pairs, or of each group of alike
pairs, are a sample of one distribution, which is estimated from them (empirical Bayes; Robbins
1956) without a form being assumed: the nonparametric maximum likelihood of Kiefer and Wolfowitz
(1956) on a grid, by EM.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.matrices import cosines, from_pairs, of_pairs

Array = NDArray[np.float64]
GRID = np.linspace(-5, 7, 61)  # logarithms of ratios
ROUNDS = 100
DIGITS = 50  # steps of an expected count's logarithm, a unit
KINDS = 20_000  # distinct pairs of counts that teach a prior at most
COMPANY = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)  # shares of pairs that have less of it, between groups


def shrunken_log_ratios(
    observed: Array, expected: Array, group: NDArray[np.int64] | None = None
) -> Array:
    """Posterior means of the logarithm of each pair's ratio, float64 [pairs].

    observed: whole numbers; expected: above 0, rounded to 1 % so that equal pairs are computed
    once; pairs with nothing expected have the prior's mean. Of many more pairs, every so-manieth in
    the order of their counts teaches the prior. group: [pairs], a number of those that
    share a prior; None: all do.
    """
    if group is not None:
        found = np.zeros(len(observed))
        for number in np.unique(group):
            own = group == number
            found[own] = shrunken_log_ratios(observed[own], expected[own])
        return found
    kinds, kind, times = _kinds(observed, expected)
    if len(times) > KINDS:
        order = np.lexsort((observed, expected))[:: -(-len(observed) // KINDS)]
        few, _, weights = _kinds(observed[order], expected[order])
    else:
        few, weights = kinds, times
    likelihood = _likelihood(few)
    prior = np.full(len(GRID), 1 / len(GRID))
    for _ in range(ROUNDS):
        posterior = likelihood * prior
        posterior /= posterior.sum(axis=1, keepdims=True)
        prior = weights @ posterior / weights.sum()
    means = np.zeros(len(times))
    for start in range(0, len(times), KINDS):
        part = slice(start, start + KINDS)
        posterior = _likelihood(kinds[:, part]) * prior
        means[part] = posterior @ GRID / posterior.sum(axis=1)
    return means[kind]


def _kinds(
    observed: Array, expected: Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct counts with rounded logarithms of those expected, [2, kinds]; the kind of every
    pair; and how many pairs are of each."""
    steps = np.round(np.log(np.maximum(expected, 1e-12)) * DIGITS).astype(np.int64)
    kinds, kind, times = np.unique(
        np.stack([observed.astype(np.int64), steps]),
        axis=1,
        return_inverse=True,
        return_counts=True,
    )
    return kinds, kind.ravel(), times


def _likelihood(kinds: NDArray[np.int64]) -> Array:
    """Of every ratio of the grid, up to a factor, [kinds, grid]."""
    count, log_expected = kinds[0][:, None], kinds[1][:, None] / DIGITS
    log_likelihood = count * (log_expected + GRID) - np.exp(log_expected + GRID)
    return np.asarray(np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True)))


def by_company(log_ratio: Array, codes: int) -> NDArray[np.int64]:
    """Groups of pairs [pairs] by how alike their two codes' ratios to all others are: cosines of
    the positive logarithms. A pair's own ratio has no part in what both have in common."""
    matrix = np.nan_to_num(from_pairs(np.maximum(log_ratio, 0), codes))
    alike = np.nan_to_num(of_pairs(cosines(matrix)), nan=0)
    return np.digitize(alike, np.quantile(alike, COMPANY))


def evidence_to_come(log_ratio: Array, expected: Array) -> Array:
    """What as many other patients are expected to say against chance: the Kullback-Leibler
    divergence of Poisson counts with and without the ratio, negative for ratios below 1."""
    ratio = np.exp(log_ratio)
    return np.asarray(expected * (ratio * log_ratio - ratio + 1) * np.sign(log_ratio))
