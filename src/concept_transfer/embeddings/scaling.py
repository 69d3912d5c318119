"""Row norms of an embedding table: with a fixed learning rate, scale alone changes results.

A zero row carries no information and stays zero under every scaling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.settings.scale import Norm, Scale, Standardized


def scale_rows(vectors: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """Scale a table of shape [tokens, width]; the input is left alone.

    - ``raw``: as it is.
    - ``unit``: every row to Euclidean norm 1. ``{norm: x}``: to norm x.
    - ``standardized``: columns to mean 0 and variance 1 over the tokens, then rows to norm 1,
      because standardized rows have norm sqrt(width) and width would come in through the norm.
      ``{standardized: x}``: rows to norm x. A column without variance becomes 0.

    >>> scale_rows(np.array([[6, 8], [0, 0]], np.float32), Norm(norm=5)).tolist()
    [[3.0, 4.0], [0.0, 0.0]]
    """
    if scale == "raw":
        return vectors
    if scale == "unit":
        return _with_norm(vectors, 1.0)
    if scale == "standardized":
        return _with_norm(_standardized(vectors), 1.0)
    if isinstance(scale, Norm):
        return _with_norm(vectors, scale.norm)
    return _with_norm(_standardized(vectors), scale.standardized)


def describe_scale(scale: Scale) -> str:
    """The scale in words, as cards and tables show it: ``unit``, ``norm 15``, ..."""
    if isinstance(scale, Norm):
        return f"norm {scale.norm:g}"
    if isinstance(scale, Standardized):
        return f"standardized to norm {scale.standardized:g}"
    return scale


def row_norms(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean norm of every row, summed in float64 without a float64 copy; shape [tokens]."""
    norms: NDArray[np.float64] = np.sqrt(
        np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64, casting="safe")
    )
    return norms


def known_rows(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows carry a vector, that is, are not zero; bool [tokens]."""
    return np.asarray(vectors.any(axis=1))


def _with_norm(vectors: NDArray[np.float32], norm: float) -> NDArray[np.float32]:
    lengths = row_norms(vectors)
    factors = np.divide(norm, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return vectors * factors[:, None].astype(np.float32)


def _standardized(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    known = known_rows(vectors)
    if not known.any():
        return vectors
    mean = vectors[known].mean(axis=0, dtype=np.float64)
    deviation = vectors[known].std(axis=0, dtype=np.float64)
    varies = deviation > 1e-7 * np.maximum(1e-30, np.abs(mean))
    inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    scaled = ((vectors - mean.astype(np.float32)) * inverse.astype(np.float32)).astype(np.float32)
    scaled[~known] = 0
    return np.asarray(scaled)
