"""How far judgements would vary with other judging patients: the methods' edges stay as they are.

Choosing edges anew in every draw would be biased: a draw holds some patients twice, so that more
pairs look significant in it. Here a method's edges are fixed, the judging clusters are resampled,
and a pair holds where its log p is below the limit of the judging part itself. Chance counts twice
in a draw's own pairs, so that its level is off by what `bias` says; intervals take it off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.counts import Array, Margins, Pairs, pair_counts
from concept_transfer.interconnections.judging import Ranking
from concept_transfer.interconnections.statistics import surely

Flags = NDArray[np.bool_]
GROUPS = 200  # of clusters; more are resampled in random groups
TERMS = 200_000  # of tails, about as many as each draw sums to judge the order of pairs


@dataclass(frozen=True)
class Groups:
    """Counts of some pairs in groups of clusters, which are what is drawn.

    together: float64 [groups, pairs], rows with both codes; having: float64 [groups, K], with each
    code; rows: float64 [groups]; one, other: int64 [pairs], the codes of pairs.
    """

    together: Array
    having: Array
    rows: Array
    one: NDArray[np.int64]
    other: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        sets: CodeSets,
        one: NDArray[np.int64],
        other: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Groups:
        places, group = np.unique(sets.cluster, return_inverse=True)
        groups = min(len(places), GROUPS)
        group = (rng.permutation(len(places)) % groups)[group]
        together, having = np.zeros((groups, len(one))), np.zeros((groups, len(sets.names)))
        for number in range(groups):
            part = sets.codes.select(np.flatnonzero(group == number))
            counts = pair_counts(part, len(sets.names))
            together[number], having[number] = counts.together[one, other], counts.having
        rows = np.bincount(group, minlength=groups).astype(float)
        return cls(together, having, rows, one, other)

    def tables(self, draws: int, rng: np.random.Generator) -> Iterator[Margins]:
        """The pairs' fourfold tables: as they are, then of so many draws with replacement."""
        groups = len(self.rows)
        weights = np.ones((1 + draws, groups))
        weights[1:] = rng.multinomial(groups, np.full(groups, 1 / groups), size=draws)
        for weight in weights:
            having = weight @ self.having
            both = weight @ self.together
            yield Margins(both, having[self.one], having[self.other], float(weight @ self.rows))


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
    groups = Groups.of(sets, pairs[0][union], pairs[1][union], rng)
    precision = {name: np.zeros(1 + draws) for name in graphs}
    ratio = {name: np.zeros(1 + draws) for name in graphs}
    own = {name: graph[union] for name, graph in graphs.items()}
    for draw, tables in enumerate(groups.tables(draws, rng)):
        holds, expected = surely(tables, limit), tables.expected
        for name, edges in own.items():
            precision[name][draw] = holds[edges].mean() if edges.any() else np.nan
            chance = expected[edges].sum()
            ratio[name][draw] = tables.both[edges].sum() / chance if chance else np.nan
    return Draws(precision, ratio)


def resampled_areas(
    sets: CodeSets,
    scores: Mapping[str, Array],
    pairs: Pairs,
    members: Flags,
    expected: Array,
    limit: float,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Method -> [1 + draws], the area under the ROC curve of its scores [pairs] among `members`,
    which stay the same. A pair's tail has about as many terms as the root of its `expected` count;
    where that is too much for all pairs, those are judged that are drawn by lot first."""
    chosen = rng.permutation(np.flatnonzero(members))
    chosen = np.sort(chosen[np.cumsum(1 + np.sqrt(expected[chosen])) <= TERMS])
    groups = Groups.of(sets, pairs[0][chosen], pairs[1][chosen], rng)
    rankings = {name: Ranking.of(own[chosen]) for name, own in scores.items()}
    everywhere = np.ones(len(chosen), bool)
    areas = {name: np.zeros(1 + draws) for name in scores}
    for draw, tables in enumerate(groups.tables(draws, rng)):
        edges = surely(tables, limit)
        for name, ranking in rankings.items():
            areas[name][draw] = ranking.curve(edges, everywhere).areas[0]
    return areas


def interval(draws: Array, confidence: float) -> tuple[float, float, float]:
    """Ends of the interval about the estimate (entry 0) of draws that are moved to lie about it,
    and the bias that is taken off; NaN where there is no estimate."""
    if np.isnan(draws).all():
        return float("nan"), float("nan"), float("nan")
    bias = float(np.nanmean(draws[1:]) - draws[0])
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]
    lower, upper = np.nanpercentile(draws[1:] - bias, tails)
    return float(lower), float(upper), bias
