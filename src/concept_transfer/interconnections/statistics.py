"""What fourfold tables say: exact tests, false discovery rates, and adjusted odds ratios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.counts import Margins

Array = NDArray[np.float64]
NEGLIGIBLE = 1e-17  # of a sum


def log_p_together(tables: Margins, mid: bool = False) -> Array:
    """Logarithm of the probability that so many rows or more have both codes by chance, given the
    margins: Fisher's exact test, one-sided, float64 [pairs].

    mid: count the observed table by half (Lancaster 1961, JASA 56), which is less conservative.
    Terms of the hypergeometric distribution follow from each other, so that a tail is summed until
    nothing is added; log p is right to about nine digits, also where p is below the smallest float.
    """
    observed = np.asarray(tables.both, float)
    log_point = _log_point(tables)
    upper = observed >= tables.expected
    tail = np.where(upper, _tail(tables, upper, up=True) - 0.5 * mid, 1.0)
    below = _tail(tables, ~upper, up=False) - 1 + 0.5 * mid  # in units of the point
    with np.errstate(divide="ignore"):
        rest = np.log1p(-np.minimum(np.exp(log_point) * below, 1 - 1e-15))
    return np.asarray(np.minimum(np.where(upper, log_point + np.log(tail), rest), 0.0))


def _log_point(tables: Margins) -> Array:
    from scipy.special import gammaln

    a, m, k, n = tables.both, tables.one, tables.other, tables.rows
    ways = gammaln(m + 1) - gammaln(a + 1) - gammaln(m - a + 1)
    ways += gammaln(n - m + 1) - gammaln(k - a + 1) - gammaln(n - m - k + a + 1)
    return np.asarray(ways - gammaln(n + 1) + gammaln(k + 1) + gammaln(n - k + 1))


def _tail(tables: Margins, where: NDArray[np.bool_], up: bool) -> Array:
    """The sum of the points from the observed one on, in units of that, of the pairs asked for."""
    total, term = np.ones(len(where)), np.ones(len(where))
    at = np.array(tables.both, float)
    left = np.flatnonzero(where)
    one, other = np.broadcast_to(tables.one, at.shape), np.broadcast_to(tables.other, at.shape)
    while len(left):
        x, m, k = at[left], one[left], other[left]
        rest = tables.rows - m - k
        if up:
            term[left] *= (m - x) * (k - x) / ((x + 1) * (rest + x + 1))
        else:
            term[left] *= x * (rest + x) / ((m - x + 1) * (k - x + 1))
        total[left] += term[left]
        at[left] += 1 if up else -1
        left = left[term[left] > NEGLIGIBLE * total[left]]
    return total


def surely(tables: Margins, limit: float) -> NDArray[np.bool_]:
    """Which pairs have a log p of `limit` or less; tails are summed where it is in doubt.

    A pair that is no more often together than by chance has p above 1/4 or so, and Hoeffding's
    bound (1963, JASA 58) tells many others: log p <= -m KL(a / m, k / n).
    """
    from scipy.special import rel_entr

    a, m, k = (np.asarray(part, float) for part in (tables.both, tables.one, tables.other))
    with np.errstate(divide="ignore", invalid="ignore"):
        share, chance = a / m, k / tables.rows
        bound = -m * (rel_entr(share, chance) + rel_entr(1 - share, 1 - chance))
    more = a > tables.expected
    found = more & (bound <= limit)
    doubt = ~found & (more | (limit > np.log(0.2)))
    left = Margins(a[doubt], m[doubt], k[doubt], tables.rows)
    found[doubt] = log_p_together(left) <= limit
    return np.asarray(found)


def discoveries(log_p: Array, fdr: float) -> NDArray[np.bool_]:
    """Which of several tests are significant at a false discovery rate (Benjamini, Hochberg 1995).

    >>> discoveries(np.log([0.001, 0.2, 0.04]), 0.05).tolist()
    [True, False, False]
    """
    return np.asarray(log_p <= threshold(log_p, fdr))


def threshold(log_p: Array, fdr: float) -> float:
    """The largest log p that is significant at a false discovery rate; -inf where none is."""
    ordered = np.sort(log_p)
    passing = ordered <= np.log(fdr) + np.log(np.arange(1, len(ordered) + 1) / len(ordered))
    return float(ordered[np.flatnonzero(passing)[-1]]) if passing.any() else -np.inf


@dataclass(frozen=True)
class OddsRatios:
    """Logarithms of odds ratios and their standard errors, float64 [pairs]; NaN where a margin of
    every stratum is empty, infinite where a cell is empty in all of them."""

    log: Array
    error: Array

    def bounds(self, confidence: float) -> tuple[Array, Array]:
        """Odds ratios at both ends of their intervals."""
        from scipy.special import ndtri

        width = ndtri((1 + confidence) / 2) * self.error
        return np.exp(self.log - width), np.exp(self.log + width)


def pooled_odds_ratios(strata: Iterable[Margins]) -> OddsRatios:
    """Odds ratios common to strata (Mantel, Haenszel 1959), with the variance of Robins, Breslow
    and Greenland (1986, Biometrics 42)."""
    agree = differ = first = second = third = np.zeros(())
    for part in strata:
        n = max(part.rows, 1)
        a, b, c = part.both, part.one - part.both, part.other - part.both
        d = part.rows - part.one - part.other + part.both
        r, s, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
        agree, differ = agree + r, differ + s
        first, second, third = first + p * r, second + p * s + q * r, third + q * s
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(agree) - np.log(differ)
        variance = first / (2 * agree**2) + second / (2 * agree * differ) + third / (2 * differ**2)
        return OddsRatios(np.asarray(log), np.sqrt(variance))
