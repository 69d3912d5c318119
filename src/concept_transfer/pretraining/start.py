"""Vectors of codes that start from an embedding table of texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.pretraining.vocabulary import longest_prefix


def tokens_of(codes: Sequence[str], vocabulary: Vocabulary) -> NDArray[np.int64]:
    """The token (concept, present) of the concept that a code is, else of the longest one that it
    begins with; -1 where there is none. int64 [codes]"""
    present = {
        concept: token for (concept, state), token in vocabulary.index.items() if state == "present"
    }
    found = (longest_prefix(code, present) for code in codes)
    return np.array([-1 if concept is None else present[concept] for concept in found], np.int64)


def projected(vectors: NDArray[np.float32], width: int, spread: float) -> NDArray[np.float32]:
    """Principal components of vectors [n, any], float32 [n, width], with this standard deviation
    of all numbers together; what a table cannot fill (fewer rows or columns) is 0."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    scores = (left * sizes * signs)[:, :width]
    result = np.zeros((len(vectors), width))
    result[:, : scores.shape[1]] = scores
    scale = result.std()
    return (result * (spread / scale if scale > 0 else 0)).astype(np.float32)


def text_start(
    codes: Sequence[str],
    vocabulary: Vocabulary,
    table: NDArray[np.float32],
    width: int,
    spread: float,
) -> NDArray[np.float32]:
    """Vectors of codes from the rows [tokens, any] of a table, float32 [codes, width]; NaN for a
    code without a concept, which starts at random."""
    tokens = tokens_of(codes, vocabulary)
    result = np.full((len(codes), width), np.nan, np.float32)
    known = tokens >= 0
    if known.any():
        used, places = np.unique(tokens[known], return_inverse=True)
        result[known] = projected(table[used], width, spread)[places]
    return result
