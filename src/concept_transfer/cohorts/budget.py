"""Which labelled target encounters a replicate may use; numpy alone, so baselines can share it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.cohort import Cohort
from concept_transfer.cohorts.splits import draw_sizes
from concept_transfer.errors import StudyError

Rows = NDArray[np.int64]

FEWEST_OF_A_CLASS = 10  # in a budget; fewer rule out early stopping


@dataclass(frozen=True)
class Budget:
    """Rows of the target site for R replicates: train [R, n], validation [R, m].

    Rows that all replicates share are stored once (broadcast, ascending).
    """

    train: Rows
    validation: Rows

    def select(self, replicates: list[int]) -> Budget:
        """The budget of some of the replicates."""
        return Budget(*(_select(rows, replicates) for rows in (self.train, self.validation)))

    @property
    def joined(self) -> Budget:
        """All rows to train on, none to validate."""
        train, validation = self.train, self.validation
        if are_same(train) and are_same(validation):
            rows = same_for_all(np.concatenate([train[0], validation[0]]), len(train))
        else:
            rows = np.concatenate([train, validation], axis=1)
        return Budget(rows, validation[:, :0])


def replicate_key(seed: int, replicate: int) -> int:
    """The 64-bit key of one replicate of a study with the given seed."""
    digest = hashlib.blake2b(f"{seed}/{replicate}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def draw_budget(cohort: Cohort, fold: int, size: str, keys: list[int]) -> Budget:
    """Every replicate's draw of `size` labelled encounters from a fold's pool, see `draw_from`."""
    train, validation, _ = cohort.split.parts(fold)
    return draw_from(cohort, (train, validation), size, keys)


def draw_from(cohort: Cohort, pools: tuple[Rows, Rows], size: str, keys: list[int]) -> Budget:
    """Every replicate's draw from rows to train and to validate on ("all" takes all of them).

    Validation takes its share from the rows the split set apart for it, so no cluster is on both
    sides; both parts are nested in those of any larger size.
    Of a balanced cohort as many of each class are drawn as there are, until one is used up.
    Raises StudyError where the pool is smaller than the budget.
    """
    train, validation = pools
    if size == "all":
        return Budget(same_for_all(train, len(keys)), same_for_all(validation, len(keys)))
    n, m = draw_sizes(int(size))
    if n > len(train) or m > len(validation):
        raise StudyError(
            f"target size {size} needs {n} training and {m} validation encounters, but site "
            f"'{cohort.name}' offers {len(train)} and {len(validation)}; use a smaller size or "
            "'all'"
        )
    return Budget(
        np.stack([_order(key, cohort, train)[:n] for key in keys]),
        np.stack([_order(key, cohort, validation)[:m] for key in keys]),
    )


def _order(key: int, cohort: Cohort, pool: Rows) -> Rows:
    rows = subset_order(key, cohort.drawn_as or cohort.name, pool)
    return rows[in_turn(cohort.labels[rows])] if cohort.balanced else rows


def in_turn(labels: NDArray[np.int8]) -> Rows:
    """Places of labels [n] that take one of each class in turn, each class in its own order.

    >>> in_turn(np.array([0, 0, 0, 1, 0, 1], np.int8)).tolist()
    [0, 3, 1, 5, 2, 4]
    """
    rank = np.zeros(len(labels), np.int64)
    for number in np.unique(labels):
        own = labels == number
        rank[own] = np.arange(own.sum())
    return np.argsort(rank, kind="stable")


def subset_order(key: int, site: str, pool: Rows) -> Rows:
    """The rows of a site's pool in the replicate's order; budgets take its head.

    A row's place depends on the site, the replicate and the row, not on the pool: smaller
    budgets are nested in larger ones, and every cell of a study draws the same rows.
    """
    digest = hashlib.blake2b(f"{key}/{site}".encode(), digest_size=8).digest()
    start = np.uint64(int.from_bytes(digest, "little"))
    return pool[np.argsort(_mix(start + pool.astype(np.uint64)), kind="stable")]


def same_for_all(rows: Rows, replicates: int) -> Rows:
    """The same rows for all replicates, [R, n], stored once."""
    return np.broadcast_to(rows, (replicates, len(rows)))


def are_same(rows: Rows) -> bool:
    """Whether [R, n] rows are stored once for all replicates."""
    return rows.strides[0] == 0


def count_classes(cohort: Cohort, rows: Rows, classes: int) -> Rows:
    """How many labels of each class each replicate's rows hold, int64 [R, classes]."""
    if are_same(rows):
        return np.repeat(_count(cohort, rows[:1], classes), len(rows), axis=0)
    return _count(cohort, rows, classes)


def allow_choice(cohort: Cohort, budget: Budget) -> NDArray[np.bool_]:
    """Whether each replicate's labels are enough to choose by validation, bool [R]."""
    enough = enough_labels(cohort, budget.joined.train)
    return np.asarray(enough & (budget.validation.shape[1] > 0))


def enough_labels(cohort: Cohort, rows: Rows) -> NDArray[np.bool_]:
    """Whether the labels of each replicate's rows [R, n] are enough to choose by, bool [R].

    Every class of the cohort counts: with a handful of negatives validation says as little as with
    a handful of positives.
    """
    known = cohort.class_counts > 0
    counts = count_classes(cohort, rows, len(known))
    enough = counts[:, known].min(axis=1) >= FEWEST_OF_A_CLASS
    return np.asarray(enough & (known.sum() > 1))


def _count(cohort: Cohort, rows: Rows, classes: int) -> Rows:
    labels = cohort.labels[rows]
    return np.stack([(labels == k).sum(axis=1) for k in range(classes)], axis=1)


def _select(rows: Rows, replicates: list[int]) -> Rows:
    return same_for_all(rows[0], len(replicates)) if are_same(rows) else rows[replicates]


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The SplitMix64 step (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195)."""
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
