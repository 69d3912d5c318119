"""Rows of whole numbers in compressed form: how the inputs of a site lie in memory and on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class CompressedRows:
    """n rows; row i is values[offsets[i]:offsets[i + 1]]. The arrays may be memory-mapped.

    offsets: int64 [n + 1], ascending from 0; values: int32 [offsets[n]].
    """

    offsets: NDArray[np.int64]
    values: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        """The values of one row."""
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of values of each row, int64 [n]."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> NDArray[np.int64]:
        """The row that each value is of, int64 [values]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def part(self, start: int, stop: int) -> CompressedRows:
        """The rows from `start` to before `stop`, which may lie beyond the last; no value is
        copied."""
        offsets = self.offsets[start : stop + 1]
        return CompressedRows(offsets - offsets[0], self.values[offsets[0] : offsets[-1]])

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the values of the given rows lie, one row after the other."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        ends = lengths.cumsum()
        within = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
        return np.asarray(np.repeat(self.offsets[rows], lengths) + within)

    def select(self, rows: NDArray[np.int64]) -> CompressedRows:
        """The given rows, in their order."""
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(self.offsets[rows + 1] - self.offsets[rows], out=offsets[1:])
        return CompressedRows(offsets, np.asarray(self.values[self.places(rows)]))

    def equals(self, other: CompressedRows) -> bool:
        """Whether both hold the same rows."""
        return np.array_equal(self.offsets, other.offsets) and np.array_equal(
            self.values, other.values
        )

    def counts(self, width: int) -> NDArray[np.int64]:
        """How often each of the values 0 to width - 1 occurs, int64 [width]."""
        return np.bincount(self.values, minlength=width)

    def matrix(self, width: int) -> csr_array:
        """Occurrences of each value in each row, float64 [n, width]."""
        from scipy.sparse import csr_array

        ones = np.ones(len(self.values))
        return csr_array((ones, self.values, self.offsets), shape=(len(self), width))

    def check(self, where: str, count: int, values: str = "values") -> None:
        """Raise StudyError unless these are `count` rows of the documented types and form.

        `values` names them in the message.
        """
        offsets = self.offsets
        if offsets.dtype != np.int64 or self.values.dtype != np.int32:
            raise StudyError(
                f"{where}: offsets are {offsets.dtype} and {values} {self.values.dtype}; expected "
                "int64, int32"
            )
        whole = len(self) == count and offsets[0] == 0 and offsets[-1] == len(self.values)
        if not whole or (self.lengths < 0).any():
            raise StudyError(
                f"{where}: offsets do not divide {len(self.values)} {values} among {count} "
                "encounters"
            )

    def are_sets(self) -> bool:
        """Whether the values of every row ascend, without repetition, from 0 or above."""
        if not len(self.values):
            return True
        rising = np.diff(self.values) > 0
        starts = self.offsets[1:-1]
        rising[starts[(starts > 0) & (starts < len(self.values))] - 1] = True
        return bool(self.values.min() >= 0 and rising.all())


def concatenated(parts: Sequence[CompressedRows]) -> CompressedRows:
    """The rows of all parts, one after the other."""
    offsets = np.concatenate([np.zeros(1, np.int64), *(part.lengths for part in parts)]).cumsum()
    values = [np.zeros(0, np.int32), *(part.values for part in parts)]
    return CompressedRows(offsets, np.concatenate(values))
