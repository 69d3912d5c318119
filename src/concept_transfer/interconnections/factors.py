"""Vectors of codes from whom they come with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.counts import PairCounts


def ppmi_vectors(counts: PairCounts, width: int, shift: float = 0.0) -> NDArray[np.float64]:
    """Left singular vectors times singular values of shifted positive pointwise mutual information
    (Levy, Goldberg 2014, NIPS), float64 [K, width]; fewer columns where there are fewer codes.

    A code is not compared with itself: the diagonal is 0. A code that comes with no other has
    zeros. The sign of each column is chosen so that its largest entry is positive.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(counts.together / counts.expected) - shift
    positive = np.where(counts.together > 0, np.maximum(information, 0), 0)
    np.fill_diagonal(positive, 0)
    return spectral_vectors(positive, width)


def spectral_vectors(matrix: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The eigenvectors of a symmetric matrix with the largest absolute eigenvalues, times these,
    float64 [K, width]."""
    from scipy.linalg import eigh

    values, vectors = eigh(matrix)
    largest = np.argsort(-np.abs(values), kind="stable")[:width]
    values, vectors = values[largest], vectors[:, largest]
    top = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[top, np.arange(len(top))])
    return np.asarray(vectors * signs * np.abs(values))
