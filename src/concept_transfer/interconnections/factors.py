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


def graph_vectors(edges: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Codes by the edges of a graph, float64 [K, width]: eigenvectors of its adjacency matrix [K,
    K], each edge over the root of the product of its codes' degrees, times the roots of the
    absolute eigenvalues (Laplacian spectral embedding; Rohe, Chatterjee, Yu 2011). A code without
    an edge has zeros."""
    roots = np.sqrt(np.maximum(edges.sum(axis=1), 1))
    return spectral_vectors(edges / np.outer(roots, roots), width, 0.5)


def spectral_vectors(
    matrix: NDArray[np.float64], width: int, power: float = 1.0
) -> NDArray[np.float64]:
    """The eigenvectors of a symmetric matrix with the largest absolute eigenvalues, times a power
    of these, float64 [K, width]; zeros where a row is zero."""
    from scipy.linalg import eigh

    values, vectors = eigh(matrix)
    largest = np.argsort(-np.abs(values), kind="stable")[:width]
    values, vectors = values[largest], vectors[:, largest]
    top = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[top, np.arange(len(top))])
    found = vectors * signs * np.abs(values) ** power
    found[~matrix.any(axis=1)] = 0  # and not what rounding leaves
    return np.asarray(found)
