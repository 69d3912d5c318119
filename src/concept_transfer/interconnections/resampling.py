"""How far judgements would vary with other judging patients: the methods' edges stay as they are.

Choosing edges anew in every draw would be biased: a draw holds some patients twice, so that more
pairs look significant in it. Here a method's edges are fixed, the judging clusters are resampled,
and a pair holds where its log p is below the limit of the judging part itself. Chance counts twice
in a draw's own pairs, so that its level is off by what `bias` says; intervals take it off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.counts import Array, Margins, Pairs, pair_counts
from concept_transfer.interconnections.statistics import log_p_together

Flags = NDArray[np.bool_]
GROUPS = 200  # of clusters; more are resampled in random groups


@dataclass(frozen=True)
class Draws:
    """precision and ratio: method -> [1 + draws], entry 0 the judging part itself; the share of its
    edges that hold, and patients with both codes over those expected, summed over its edges."""

    precision: dict[str, Array]
    ratio: dict[str, Array]


def resampled(
    sets: CodeSets,
    graphs: Mapping[str, Flags],
    pairs: Pairs,
    limit: float,
    draws: int,
    rng: np.random.Generator,
) -> Draws:
    """Draw clusters with replacement. graphs: method -> its edges, bool [pairs]."""
    union = np.flatnonzero(np.any(list(graphs.values()), axis=0))
    one, other = pairs[0][union], pairs[1][union]
    places, group = np.unique(sets.cluster, return_inverse=True)
    groups = min(len(places), GROUPS)
    group = (rng.permutation(len(places)) % groups)[group]
    together, having = np.zeros((groups, len(union))), np.zeros((groups, len(sets.names)))
    rows = np.bincount(group, minlength=groups).astype(float)
    for number in range(groups):
        counts = pair_counts(sets.codes.select(np.flatnonzero(group == number)), len(sets.names))
        together[number], having[number] = counts.together[one, other], counts.having
    weights = np.ones((1 + draws, groups))
    weights[1:] = rng.multinomial(groups, np.full(groups, 1 / groups), size=draws)
    precision = {name: np.zeros(1 + draws) for name in graphs}
    ratio = {name: np.zeros(1 + draws) for name in graphs}
    own = {name: graph[union] for name, graph in graphs.items()}
    for draw, weight in enumerate(weights):
        margins = weight @ having
        tables = Margins(weight @ together, margins[one], margins[other], float(weight @ rows))
        holds, expected = log_p_together(tables) <= limit, tables.expected
        for name, edges in own.items():
            precision[name][draw] = holds[edges].mean() if edges.any() else np.nan
            chance = expected[edges].sum()
            ratio[name][draw] = tables.both[edges].sum() / chance if chance else np.nan
    return Draws(precision, ratio)


def interval(draws: Array, confidence: float) -> tuple[float, float, float]:
    """Ends of the interval about the estimate (entry 0) of draws that are moved to lie about it,
    and the bias that is taken off."""
    bias = float(np.nanmean(draws[1:]) - draws[0])
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]
    lower, upper = np.nanpercentile(draws[1:] - bias, tails)
    return float(lower), float(upper), bias
