"""What is true of pairs of codes among patients that no method has learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.counts import Array, PairCounts, Pairs, all_pairs
from concept_transfer.interconnections.statistics import (
    OddsRatios,
    log_p_together,
    pooled_odds_ratios,
    threshold,
)
from concept_transfer.settings.interconnections import Edges

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """Of all pairs: how many patients have both codes, how many would by chance, log p of the exact
    test and its largest value that is significant, odds ratios adjusted for age and sex, and which
    pairs are edges.

    significant: by the exact test; strong: at least `least` patients have both, and the odds
    ratio's interval lies above that of the settings.
    """

    together: Array
    expected: Array
    log_p: Array
    limit: float
    odds: OddsRatios
    significant: Flags
    strong: Flags


def truth_of(
    counts: PairCounts,
    strata: Sequence[PairCounts],
    settings: Edges,
    least: int,
    confidence: float,
) -> Truth:
    """Of the patients counted; strata: the same by age group and sex."""
    pairs = all_pairs(len(counts.together))
    tables = counts.of_pairs(pairs)
    log_p = log_p_together(tables)
    limit = threshold(log_p, settings.fdr)
    odds = pooled_odds_ratios(part.of_pairs(pairs) for part in strata)
    lower, _ = odds.bounds(confidence)
    strong = (tables.both >= max(least, 1)) & (np.nan_to_num(lower) > settings.odds_ratio)
    return Truth(tables.both, tables.expected, log_p, limit, odds, log_p <= limit, strong)


def planted(links: Sequence[tuple[str, str]], nodes: Sequence[str]) -> NDArray[np.bool_]:
    """Which pairs of codes are linked by cause and effect, bool [K, K], from cause to effect.

    links: (cause, effect) in codes of a site, each belonging to the node that it begins with.
    """
    from concept_transfer.pretraining.vocabulary import longest_prefix

    places = {code: place for place, code in enumerate(nodes)}
    linked = np.zeros((len(nodes), len(nodes)), bool)
    for cause, effect in links:
        one, other = longest_prefix(cause, places), longest_prefix(effect, places)
        if one is not None and other is not None and one != other:
            linked[places[one], places[other]] = True
    return linked


def of_either(matrix: NDArray[np.bool_]) -> Flags:
    """Which pairs are linked in either direction."""
    pairs: Pairs = all_pairs(len(matrix))
    return np.asarray(matrix[pairs] | matrix.T[pairs])
