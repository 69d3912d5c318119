"""Folds of labelled encounters: every one is judged by a model that has not seen its cluster."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import Budget, Rows, are_same, same_for_all
from concept_transfer.cohorts.cohort import Cohort

FOLDS = 5


def fold_numbers(cohort: Cohort, rows: Rows, folds: int = FOLDS) -> Rows:
    """The fold of each of the replicates' rows [R, n]; clusters stay together (`grouped_folds`)."""
    split = cohort.split
    distinct = rows[:1] if are_same(rows) else rows
    numbers = [
        grouped_folds(split.cluster_number[own], cohort.labels[own], folds) for own in distinct
    ]
    return same_for_all(numbers[0], len(rows)) if are_same(rows) else np.stack(numbers)


def folds_of_budget(cohort: Cohort, budget: Budget, folds: int) -> Rows:
    """The fold of each of a budget's rows (`Budget.joined`), int64 [R, n].

    One fold is that of the rows to validate on; the others are then in none (-1).
    """
    rows, held = budget.joined.train, budget.validation.shape[1]
    if folds > 1 or not held:
        return fold_numbers(cohort, rows, max(2, folds))
    numbers = np.full(rows.shape[1], -1)
    numbers[-held:] = 0
    return same_for_all(numbers, len(rows))


def grouped_folds(
    cluster: NDArray[np.int64], labels: NDArray[np.int8], folds: int = FOLDS
) -> NDArray[np.int64]:
    """Fold of each encounter, int64 [n]: whole clusters, the classes spread over the folds.

    Clusters are dealt out in turn, those with the rarest class first, and else as they come.

    >>> grouped_folds(np.array([7, 7, 8, 9, 5]), np.array([0, 0, 1, 0, 1], np.int8), 2).tolist()
    [0, 0, 0, 1, 1]
    """
    _, first, group = np.unique(cluster, return_index=True, return_inverse=True)
    counts = np.bincount(labels)
    rarity = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
    rarest = np.full(len(first), len(counts))
    np.minimum.at(rarest, group, rarity[labels])
    order = np.lexsort((first, rarest))
    fold_of = np.empty(len(first), np.int64)
    fold_of[order] = np.arange(len(first)) % folds
    return fold_of[group]
