"""Scores of pairs as matrices, and matrices as scores of pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.counts import Margins, PairCounts, all_pairs

Array = NDArray[np.float64]


def symmetric(counts: PairCounts, score: Callable[[Margins], Array]) -> Array:
    """The matrix of a score of fourfold tables, [K, K], NaN on the diagonal."""
    pairs = all_pairs(len(counts.together))
    with np.errstate(divide="ignore", invalid="ignore"):
        return from_pairs(score(counts.of_pairs(pairs)), len(counts.together))


def from_pairs(values: Array, codes: int) -> Array:
    """The symmetric matrix [K, K] of a number a pair, NaN on the diagonal."""
    matrix = np.full((codes, codes), np.nan)
    one, other = all_pairs(codes)
    matrix[one, other] = matrix[other, one] = values
    return matrix


def of_pairs(matrix: Array) -> Array:
    """A number a pair; of the two directions of a pair the larger."""
    one, other = all_pairs(len(matrix))
    return np.fmax(matrix[one, other], matrix[other, one])


def cosines(vectors: NDArray[np.floating]) -> Array:
    """Cosines of all rows, [K, K]; NaN with a row of zeros, and on the diagonal."""
    rows = vectors.astype(float)
    norms = np.linalg.norm(rows, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = rows / norms[:, None]
    found = np.asarray(rows @ rows.T)
    np.fill_diagonal(found, np.nan)
    return found
