"""How alike methods rank pairs, and whether that could be chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.counts import Array, all_pairs
from concept_transfer.interconnections.matrices import from_pairs

Flags = NDArray[np.bool_]


def agreement(
    scores: Mapping[str, Array],
    graphs: Mapping[str, Flags],
    codes: int,
    permutations: int,
    rng: np.random.Generator,
) -> Iterator[dict[str, str | float]]:
    """Rows of a, b, spearman, p and jaccard (of their graphs).

    Pairs share codes, so that they are no sample of independent pairs: p is the share of
    permutations of one method's codes, the observed order included, with a correlation as far from
    0 (quadratic assignment procedure; Krackhardt 1988). Pairs that a method cannot score have its
    mean rank.
    """
    names, pairs = list(scores), all_pairs(codes)
    ranks = np.stack([_ranks(scores[name]) for name in names])
    observed = ranks @ ranks.T
    extreme = np.ones_like(observed)
    matrices = [from_pairs(row, codes) for row in ranks]
    for _ in range(permutations):
        order = rng.permutation(codes)
        places = order[pairs[0]], order[pairs[1]]
        moved = np.stack([matrix[places] for matrix in matrices])
        extreme += np.abs(moved @ ranks.T) >= np.abs(observed) - 1e-12
    for one, other in combinations(range(len(names)), 2):
        either = graphs[names[one]] | graphs[names[other]]
        both = graphs[names[one]] & graphs[names[other]]
        yield {
            "a": names[one],
            "b": names[other],
            "spearman": float(observed[one, other]),
            "p": float(extreme[one, other] / (1 + permutations)),
            "jaccard": float(both.sum() / either.sum()) if either.any() else float("nan"),
        }


def _ranks(scores: Array) -> Array:
    """Ranks with mean 0 and length 1, so that products are Spearman correlations; 0 where there is
    no score, and everywhere where all scores are equal."""
    from scipy.stats import rankdata

    known = ~np.isnan(scores)
    ranks = np.zeros(len(scores))
    ranks[known] = rankdata(scores[known])
    ranks[known] -= ranks[known].mean() if known.any() else 0
    length = np.linalg.norm(ranks)
    return ranks / length if length else ranks
