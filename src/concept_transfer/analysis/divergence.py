"""Divergences between distributions of findings, and intervals for numbers that cannot be < 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SMOOTHING = 0.5  # encounters (Jeffreys), so that a state unseen at a site stays finite
_NONE = 1e-9
_LARGE = 500.0  # from this noncentrality on, chi-square is normal for our purpose


def smoothed(counts: Array, owner: NDArray[np.int64], size: float) -> Array:
    """Shares within each owner from counts [..., outcomes]; ``owner`` [outcomes] ascends.

    `SMOOTHING` encounters of a sample of ``size`` are added to every outcome. Two sites that are
    compared take the size of the smaller one, so that what neither records is alike at both.
    """
    starts = _starts(owner)
    totals = np.add.reduceat(counts, starts, axis=-1)
    with np.errstate(invalid="ignore"):
        shares = counts / totals[..., owner]
    outcomes = np.add.reduceat(np.ones(len(owner)), starts)
    floor = SMOOTHING / max(size, 1)
    return np.asarray((shares + floor) / (1 + floor * outcomes[owner]))


def jensen_shannon(p: Array, q: Array, owner: NDArray[np.int64]) -> Array:
    """Jensen-Shannon divergence in bits (0 to 1) of each owner's distributions.

    ``p``, ``q`` [..., outcomes] are positive and sum to 1 within each owner; ``owner`` [outcomes]
    is ascending from 0 without gaps. Returns [..., owners].

    Fever that one site always records and the other never, and a cough alike at both:

    >>> fever, cough = [1.0, 1e-12], [0.3, 0.7]
    >>> p, q = np.array([*fever, *cough]), np.array([*fever[::-1], *cough])
    >>> jensen_shannon(p, q, owner=np.array([0, 0, 1, 1])).round(6).tolist()
    [1.0, 0.0]
    """
    middle = (p + q) / 2
    terms = p * np.log2(p / middle) + q * np.log2(q / middle)
    return np.add.reduceat(terms, _starts(owner), axis=-1) / 2


def kullback_leibler(p: Array, q: Array, owner: NDArray[np.int64]) -> Array:
    """KL(p || q) in bits of each owner's distributions; arguments as in `jensen_shannon`."""
    return np.add.reduceat(p * np.log2(p / q), _starts(owner), axis=-1)


def divergence_interval(
    observed: Array, draws: Array, confidence: float
) -> tuple[Array, Array, Array]:
    """Estimates without the bias of chance, and their intervals: three arrays [k].

    ``observed`` [k] are divergences of two samples, ``draws`` [draws, k] those of bootstrap
    samples. Two samples always differ, so a divergence is too large on average, and in a
    bootstrap draw by as much again: the difference of the means is subtracted. Near zero a
    divergence is a sum of squares and far from normal, so the interval takes it as a scaled
    noncentral chi-square variable whose mean and variance are those of the draws
    (Satterthwaite's approximation) and inverts its distribution in the noncentrality. Draws that
    are not defined (without an encounter of a label) are left out; without draws the bounds are
    NaN.
    """
    from scipy.special import chndtrinc
    from scipy.stats import norm

    draws = draws[np.isfinite(draws).all(axis=1)]
    if len(draws) < 2:
        unknown = np.full(len(observed), np.nan)
        return observed, unknown, unknown
    chance = np.maximum(draws.mean(axis=0) - observed, 0)
    variance = draws.var(axis=0, ddof=1)
    tail = (1 - confidence) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = variance / (2 * chance + 4 * observed)
        freedom = np.maximum(chance / scale, 1)
        value = observed / scale
        small = value < _LARGE + freedom
        half = norm.isf(tail) * np.sqrt(2 * freedom + 4 * value)
        # A value that chance alone exceeds nearly always still leaves room above.
        raised = np.maximum(value, freedom)
        exact_lower = chndtrinc(np.where(small, value, 1), freedom, 1 - tail)
        exact_upper = chndtrinc(np.where(small, raised, 1), freedom, tail)
        exact_lower[exact_lower < _NONE] = 0
        lower = np.where(small, exact_lower, value - freedom - half) * scale
        upper = np.where(small, exact_upper, value - freedom + half) * scale
    fixed = variance < _NONE**2
    return (
        np.maximum(observed - chance, 0),
        np.where(fixed, observed, np.maximum(lower, 0)),
        np.where(fixed, observed, upper),
    )


def _starts(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.diff(owner, prepend=-1))
