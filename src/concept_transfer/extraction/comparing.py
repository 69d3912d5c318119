"""How sure scores and their differences are: documents drawn anew, and labels dealt anew."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from concept_transfer.extraction.scores import measures

_DRAWS_AT_ONCE = 200

Counts = NDArray[np.int64]  # [replicates, units, modes, types, 4]


def drawn(counts: Counts, draws: int, seed: int) -> NDArray[np.float64]:
    """Scores of bootstrap draws of units, [draws, modes, types + 1, measures].

    They are means over replicates. Counts of the same units and the same seed give paired draws.
    """
    replicates, units, *rest = counts.shape
    flat = counts.swapaxes(0, 1).reshape(units, -1).astype(float)
    parts = [
        measures((weights @ flat).reshape(len(weights), replicates, *rest)).mean(1)
        for weights in _weights(units, draws, seed)
    ]
    return np.concatenate(parts)


def _weights(units: int, draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, draws - start)
        yield generator.multinomial(units, np.full(units, 1 / units), size).astype(float)


def interval(draws: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Lower and upper bound over the first axis, [2, ...]: percentiles of the draws."""
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        bounds: NDArray[np.float64] = np.quantile(draws, [tail, 1 - tail], axis=0)
    return bounds


def randomisation_p(one: Counts, other: Counts, draws: int, seed: int) -> NDArray[np.float64]:
    """Two-sided p of no difference, [modes, types + 1, measures].

    In every unit, what the two taggers found is exchanged by a coin (approximate randomisation;
    Yeh 2000, COLING). Replicates are exchanged together; a single one meets each of the other's.
    """

    def score(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(measures(counts).mean(-4))

    seen = score(one.sum(1).astype(float)) - score(other.sum(1).astype(float))
    first, second = (each.astype(float) for each in np.broadcast_arrays(one, other))
    shape = len(first)
    generator = np.random.default_rng(seed)
    units, rest = first.shape[1], first.shape[2:]
    total, gap = (first + second).sum(1), (first - second).swapaxes(0, 1).reshape(units, -1)
    beyond = np.zeros(seen.shape)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        signs = generator.choice((-1.0, 1.0), (min(_DRAWS_AT_ONCE, draws - start), units))
        moved = (signs @ gap).reshape(len(signs), shape, *rest)
        dealt = score((total + moved) / 2) - score((total - moved) / 2)
        beyond += (np.abs(dealt) >= np.abs(seen) - 1e-12).sum(0)
    p: NDArray[np.float64] = (1 + beyond) / (1 + draws)
    return p
