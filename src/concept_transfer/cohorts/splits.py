"""Training, validation and test rows of a site, on disk; the reader needs numpy and pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.private import private

NEVER_TESTED = -1
UNUSED = -2

SCHEMA = pa.schema(
    [
        pa.field("encounter", pa.string(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("label", pa.int8(), nullable=False),
        pa.field("fold", pa.int16(), nullable=False),
        pa.field("validation", pa.bool_(), nullable=False),
    ]
)

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """How a site's encounters are divided; rows in the order of its encounters.

    `table` has the columns of SCHEMA. For fold k, rows with `fold == k` test; of the other rows
    those with `validation` validate and the rest train, save rows with `fold == UNUSED`.
    """

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def encounter(self) -> NDArray[np.object_]:
        """Encounter ids, str objects [n]."""
        return np.asarray(self.table.column("encounter").to_numpy(), dtype=object)

    @cached_property
    def cluster(self) -> NDArray[np.object_]:
        """Cluster ids, str objects [n]."""
        return np.asarray(self.table.column("cluster").to_numpy(), dtype=object)

    @cached_property
    def cluster_number(self) -> NDArray[np.int64]:
        """A number for the cluster of each encounter, int64 [n]."""
        codes = self.table.column("cluster").combine_chunks().dictionary_encode().indices
        return np.asarray(codes, dtype=np.int64)

    @cached_property
    def label(self) -> NDArray[np.int8]:
        """Class of each encounter, int8 [n]."""
        return np.asarray(self.table.column("label").to_numpy(), dtype=np.int8)

    @cached_property
    def fold(self) -> NDArray[np.int16]:
        """Fold in which a row tests; NEVER_TESTED or UNUSED otherwise, int16 [n]."""
        return np.asarray(self.table.column("fold").to_numpy(), dtype=np.int16)

    @cached_property
    def validation(self) -> NDArray[np.bool_]:
        """Whether a row validates where it does not test, bool [n]."""
        return np.asarray(self.table.column("validation").to_numpy(), dtype=bool)

    @property
    def folds(self) -> list[int]:
        """Folds that have a test set, ascending; empty if the site has no test set."""
        return [int(fold) for fold in np.unique(self.fold) if fold >= 0]

    def parts(self, fold: int) -> tuple[Index, Index, Index]:
        """Rows that (train, validate, test) in a fold, ascending."""
        test = self.fold == fold
        rest = ~test & (self.fold != UNUSED)
        return (
            np.flatnonzero(rest & ~self.validation),
            np.flatnonzero(rest & self.validation),
            np.flatnonzero(test),
        )

    def source_parts(self) -> tuple[Index, Index]:
        """Rows that (train, validate) when the site is a source.

        Those that are never tested; under cross-fitting all rows.
        """
        offered = self.fold == NEVER_TESTED if len(self.folds) < 2 else self.fold != UNUSED
        return np.flatnonzero(offered & ~self.validation), np.flatnonzero(offered & self.validation)

    def never_tested(self) -> Index:
        """Rows that train or validate when the site is a source, ascending."""
        return np.sort(np.concatenate(self.source_parts()))

    def write(self, path: Path | str) -> None:
        """Write the split as Parquet."""
        with private(Path(path).parent, "splits"):
            pq.write_table(self.table, path)

    @classmethod
    def read(cls, path: Path | str) -> Split:
        """Read what `write` wrote. Raises StudyError naming the file."""
        try:
            table = pq.ParquetFile(path).read().replace_schema_metadata(None)
        except (FileNotFoundError, pa.ArrowInvalid) as error:
            raise StudyError(
                f"{path} is no readable split ({type(error).__name__}); delete it and let the "
                "workflow write it again"
            ) from None
        if not table.schema.equals(SCHEMA):
            raise StudyError(
                f"{path} has the columns {', '.join(table.schema.names)}; a split has "
                f"{', '.join(f'{field.name} ({field.type})' for field in SCHEMA)}"
            )
        return cls(table)


def split_table(
    encounter: Any,
    cluster: Any,
    label: NDArray[np.int8],
    fold: NDArray[np.int16],
    validation: NDArray[np.bool_],
) -> Split:
    """A Split from equally long columns."""
    columns = (encounter, cluster, label, fold, validation)
    arrays = [
        column.combine_chunks() if isinstance(column, pa.ChunkedArray) else pa.array(column, f.type)
        for f, column in zip(SCHEMA, columns, strict=True)
    ]
    return Split(pa.Table.from_arrays(arrays, schema=SCHEMA))


def draw_sizes(size: int) -> tuple[int, int]:
    """(training, validation) encounters of a target size: a fifth validates."""
    validation = round(0.2 * size)
    return size - validation, validation


def largest_target_size(split: Split) -> int:
    """The largest target size whose training and validation rows every fold can supply."""
    if not split.folds:
        return 0
    pools = np.array([[len(rows) for rows in split.parts(fold)[:2]] for fold in split.folds])
    train, validation = (int(size) for size in pools.min(axis=0))
    size = min(train + validation, train * 5 // 4 + 2, validation * 5 + 4)
    while draw_sizes(size)[0] > train or draw_sizes(size)[1] > validation:
        size -= 1
    return size


def check_target_sizes(site: str, split: Split, sizes: Sequence[int | str]) -> None:
    """Raise StudyError for a target size that the site cannot supply in every fold."""
    if not split.folds:
        raise StudyError(
            f"site {site} has no test encounters, so it cannot be a target; give it a test "
            "partition, or leave it out as a target in 'pairs'"
        )
    largest = largest_target_size(split)
    for size in sizes:
        if isinstance(size, int) and size > largest:
            raise StudyError(
                f"target_sizes: {size} is more than site {site} has; a fifth of it must come from "
                f"validation rows and the rest from training rows, so at most {largest} is "
                "accepted (or 'all')"
            )
