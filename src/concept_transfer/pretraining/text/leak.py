"""Whether the category of documents says what their label is, which would teach the label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.pretraining.text.documents import Readable

MOST = 0.95


def told_by_category(categories: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """How much of the uncertainty about a label its category takes away: Goodman and Kruskal's
    lambda, each document left out of the counts that guess its label by its category, so that
    categories of one document tell nothing. 1: all; 0 or less: nothing, or all labels are equal.

    >>> told_by_category(np.array([0, 0, 0, 1, 1, 1]), np.array([2, 2, 2, 0, 0, 0]))
    1.0
    """
    _, kinds = np.unique(categories, return_inverse=True)
    counts = np.zeros((kinds.max(initial=0) + 1, labels.max(initial=0) + 1), np.int64)
    np.add.at(counts, (kinds, labels), 1)
    blind = counts.sum() - counts.sum(axis=0).max()
    return float(1 - _wrong(counts) / blind) if blind else 0.0


def _wrong(counts: NDArray[np.int64]) -> int:
    """Documents whose label is not the most frequent one of the others of their row."""
    wrong = 0
    for label in range(counts.shape[1]):
        own, best = counts[:, label], np.delete(counts, label, axis=1).max(axis=1, initial=0)
        wrong += int(own[own - 1 <= best].sum())
    return wrong


def refuse_leak(where: str, readable: Readable) -> float:
    """`told_by_category`, of the documents with a category.

    Raises StudyError where it is so much that the category is the label under another name, or
    where there are no two categories to tell apart.
    """
    known = readable.categories >= 0
    if len(np.unique(readable.categories[known])) < 2:
        raise StudyError(
            f"{where}: learning the category of documents needs two of them, but of "
            f"{len(readable)} documents that may be learned from {known.sum()} have a category, "
            "and no two differ; name a column as the category, or take the objective metadata away"
        )
    told = told_by_category(readable.categories[known], readable.labels[known])
    if told >= MOST:
        raise StudyError(
            f"{where}: the category of documents tells {told:.0%} of what is uncertain about the "
            "label in the documents that may be learned from, so that learning the category is "
            "learning the label, and few labels would not be few; take the objective metadata away "
            "(its weight is in 'objectives'), or name another column as the category"
        )
    return told
