"""Whether meaning helps: the AUROC of an embedding among those of its permutations.

If it did not matter which concept has which vector, the real assignment would be one of many
equally good ones, and its AUROC as likely to be the highest as any other's. Cells tested together
share their permutations, and each must exceed the largest standardised gain that a permutation
reaches among itself and the cells that gain less (max-T, step-down: Westfall & Young 1993,
Resampling-Based Multiple Testing, algorithm 2.8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from concept_transfer.cell import Cell
from concept_transfer.evaluation.metrics import TESTED
from concept_transfer.evaluation.results import Results, cell_of
from concept_transfer.evaluation.schemas import SHUFFLES
from concept_transfer.parquet import read_table


@dataclass(frozen=True)
class ShuffleTest:
    """One cell's AUROC (``observed``) among those of ``shuffles`` permutations [shuffles], means
    over the same ``replicates``; ``p`` of the cell alone, ``p_max_t`` among all cells tested."""

    observed: float
    shuffled: np.ndarray
    p: float
    p_max_t: float
    replicates: int = 1

    def is_shown(self, confidence: float) -> bool:
        """Whether the corrected p is at most 1 - confidence; shares of shuffles may equal it."""
        return is_small(self.p_max_t, confidence)


def is_small(p: float, confidence: float) -> bool:
    """p <= 1 - confidence, whatever the rounding of the difference."""
    return p <= 1 - confidence + 1e-9


def shuffle_tests(
    results: Results, files: Sequence[str], replicates: int
) -> dict[Cell, ShuffleTest]:
    """The tests of all cells that the files hold permutations of.

    A cell that has no estimate in one of the first ``replicates``, real or permuted, or too few
    test encounters for a headline, is left out.
    """
    areas: dict[Cell, dict[int, list[float]]] = {}
    for path in files:
        for row in read_table(path, SHUFFLES).to_pylist():
            cell = cell_of(row)
            areas.setdefault(cell, {}).setdefault(row["shuffle"], []).append(row["auroc"])
    means: dict[Cell, np.ndarray] = {}
    for cell, by_shuffle in areas.items():
        if cell not in results or not results[cell].headline:
            continue
        real = results[cell].values[("test", TESTED)]
        observed = [real.get(replicate, float("nan")) for replicate in range(replicates)]
        shuffles = [np.mean(by_shuffle[shuffle]) for shuffle in sorted(by_shuffle)]
        mean = np.array([np.mean(observed), *shuffles])
        if not np.isnan(mean).any():
            means[cell] = mean
    return max_t(means, replicates)


def max_t(means: Mapping[Cell, np.ndarray], replicates: int = 1) -> dict[Cell, ShuffleTest]:
    """One-sided permutation tests, corrected for each other.

    ``means``: cell -> AUROC [1 + shuffles] over so many ``replicates``, the real assignment first;
    entry s belongs to the same permutation in every cell.
    """
    if not means:
        return {}
    cells = list(means)
    values = np.stack([means[cell] for cell in cells])
    spread = values.std(axis=1, keepdims=True)
    gains = (values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    order = np.argsort(gains[:, 0], kind="stable")
    largest = np.maximum.accumulate(gains[order], axis=0)  # of this cell and all that gain less
    reached = largest >= gains[order, :1] - 1e-12
    adjusted = np.empty(len(cells))
    adjusted[order] = np.maximum.accumulate(reached.mean(axis=1)[::-1])[::-1]
    alone = (gains >= gains[:, :1] - 1e-12).mean(axis=1)
    return {
        cell: ShuffleTest(float(row[0]), row[1:], float(p), float(p_max), replicates)
        for cell, row, p, p_max in zip(cells, values, alone, adjusted, strict=True)
    }
