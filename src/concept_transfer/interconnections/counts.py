"""How often codes meet: exact counts of all pairs, by sparse products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.interconnections.code_sets import CodeSets

ROWS_AT_ONCE = 200_000
PAIRS_AT_ONCE = 4_000_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairCounts:
    """rows: how many there are; together: int64 [K, K], rows that have both codes, and on the
    diagonal those that have one."""

    rows: int
    together: NDArray[np.int64]

    @cached_property
    def having(self) -> NDArray[np.int64]:
        """Rows that have each code, int64 [K]."""
        return np.diagonal(self.together).copy()

    @cached_property
    def expected(self) -> Array:
        """Rows that would have both by chance, float64 [K, K]."""
        return np.outer(self.having, self.having) / max(self.rows, 1)

    def of_pairs(self, pairs: Pairs) -> Margins:
        """The fourfold tables of pairs."""
        one, other = pairs
        return Margins(
            self.together[one, other].astype(float),
            self.having[one].astype(float),
            self.having[other].astype(float),
            float(self.rows),
        )


@dataclass(frozen=True)
class Margins:
    """Fourfold tables: rows with both codes, with the one, with the other, and all of them; float64
    [pairs], the last one number or [pairs]."""

    both: Array
    one: Array
    other: Array
    rows: float

    @property
    def expected(self) -> Array:
        return self.one * self.other / max(self.rows, 1)


Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def all_pairs(codes: int) -> Pairs:
    """The K (K - 1) / 2 pairs, the first code before the second."""
    one, other = np.triu_indices(codes, k=1)
    return one, other


def pair_counts(sets: CompressedRows, codes: int) -> PairCounts:
    """Of sets of numbers below `codes`; memory does not grow with the number of rows.

    >>> sets = CompressedRows(np.array([0, 2, 3]), np.array([0, 1, 1], np.int32))
    >>> pair_counts(sets, 2).together.tolist()
    [[1, 1], [1, 2]]
    """
    from scipy.sparse import csr_array

    together = np.zeros((codes, codes), np.int64)
    for start in range(0, len(sets), ROWS_AT_ONCE):
        part = sets.part(start, start + ROWS_AT_ONCE)
        ones = np.ones(len(part.values), np.int32)
        held = csr_array((ones, part.values, part.offsets), shape=(len(part), codes))
        together += (held.T @ held).toarray()
    return PairCounts(len(sets), together)


def patients_together(sets: CodeSets) -> NDArray[np.int64]:
    """How many patients have both codes in one row at least, int64 [K, K]; on the diagonal, one."""
    width = len(sets.names)
    _, patient, rows = np.unique(sets.patient, return_inverse=True, return_counts=True)
    single = rows[patient] == 1
    together = pair_counts(sets.codes.select(np.flatnonzero(single)), width).together
    others = np.flatnonzero(~single)
    others = others[np.argsort(patient[others], kind="stable")]
    codes, patient = sets.codes.select(others), patient[others]
    begins = np.flatnonzero(np.diff(patient, prepend=-1))
    heavy = np.cumsum(codes.lengths**2)[begins] // PAIRS_AT_ONCE
    bounds = [*begins[np.flatnonzero(np.diff(heavy, prepend=-1))].tolist(), len(codes)]
    for start, stop in pairwise(bounds):
        part = codes.part(start, stop)
        first, second = _pairs_within(part)
        cell = part.values[first].astype(np.int64) * width + part.values[second]
        whose = patient[start:stop][part.owners[first]] - patient[start]
        once = np.unique(whose * width**2 + cell) % width**2
        together += np.bincount(once, minlength=width**2).reshape(width, width)
    return together


def counts_by(sets: CodeSets, group: NDArray[np.int64]) -> list[PairCounts]:
    """Of each group of rows, by its number; groups without a row are left out."""
    return [
        pair_counts(sets.codes.select(np.flatnonzero(group == number)), len(sets.names))
        for number in np.unique(group)
    ]


def expected_within(strata: Sequence[PairCounts]) -> Array:
    """Rows that would have both codes by chance within each group, summed, float64 [K, K]."""
    return np.asarray(sum(part.expected for part in strata))


def orders(sets: CodeSets) -> NDArray[np.int64]:
    """In how many rows the first day of code i lies before that of code j, int64 [K, K]."""
    width = len(sets.names)
    before = np.zeros(width * width, np.int64)
    lengths = sets.codes.lengths
    heavy = np.cumsum(lengths**2) // PAIRS_AT_ONCE
    bounds = [*np.flatnonzero(np.diff(heavy, prepend=-1)).tolist(), len(sets)]
    for start, stop in pairwise(bounds):
        part = sets.codes.part(start, stop)
        days = sets.days[sets.codes.offsets[start] : sets.codes.offsets[stop]]
        first, second = _pairs_within(part)
        earlier = days[first] < days[second]
        cell = part.values[first[earlier]].astype(np.int64) * width + part.values[second[earlier]]
        before += np.bincount(cell, minlength=len(before))
    return before.reshape(width, width)


def _pairs_within(sets: CompressedRows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of all ordered pairs of values in one row, each with itself too."""
    size = sets.lengths[sets.owners]
    first = np.repeat(np.arange(len(sets.values)), size)
    begins = np.repeat(sets.offsets[sets.owners], size)
    ends = np.cumsum(size)
    return first, begins + np.arange(size.sum()) - np.repeat(ends - size, size)
