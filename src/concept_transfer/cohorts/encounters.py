"""The cohort of a site as a table: who is predicted and when, and the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.errors import StudyError

SCHEMA = pa.schema(
    [
        pa.field("encounter", pa.string(), nullable=False),
        pa.field("patient", pa.string()),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("time", pa.date32()),
        pa.field("label", pa.int8(), nullable=False),
        pa.field("partition", pa.string()),
    ]
)
PARTITIONS = ("train", "validation", "test")


@dataclass(frozen=True)
class Encounters:
    """All encounters of one site: `table` has the columns of SCHEMA, one row an encounter (n rows).

    `time` is the index time: inputs hold what was recorded until then.
    """

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def labels(self) -> NDArray[np.int8]:
        """Class of every encounter, from 0, int8 [n]."""
        return np.asarray(self.table.column("label").to_numpy(), dtype=np.int8)

    def validate(self, where: str) -> None:
        """Check the contract; `where` names the site or folder in errors (StudyError)."""
        if not self.table.schema.equals(SCHEMA):
            raise StudyError(
                f"{where}: the encounter table has the columns {self.table.schema.names} with "
                f"types {[str(t) for t in self.table.schema.types]}; expected {SCHEMA.names} with "
                f"{[str(t) for t in SCHEMA.types]}"
            )
        for column in ("encounter", "cluster", "label"):
            nulls = pc.indices_nonzero(pc.is_null(self.table.column(column)))
            if len(nulls):
                raise StudyError(
                    f"{where}: column '{column}' is empty in {len(nulls)} row(s), first in row "
                    f"{nulls[0].as_py() + 1}; every encounter needs one"
                )
        unknown = set(pc.unique(self.table.column("partition")).to_pylist()) - {None, *PARTITIONS}
        if unknown:
            raise StudyError(
                f"{where}: unknown partition {sorted(unknown)}; "
                f"accepted are {', '.join(PARTITIONS)}"
            )
        repeated = repeated_rows(self.table.column("encounter"))
        if len(repeated):
            raise StudyError(
                f"{where}: encounter ids repeat: rows {_some(repeated + 1)} share theirs with "
                "another row; an encounter has one row"
            )
        labels = np.unique(self.labels).tolist()
        if len(labels) < 2 or labels[0] < 0:
            raise StudyError(
                f"{where}: the label takes the value(s) {labels} in {len(self)} encounters; "
                "labels count classes from 0, and a site needs encounters of two or more"
            )

    def write(self, folder: Path) -> None:
        """Write ``encounters.parquet`` and ``labels.npy``."""
        pq.write_table(self.table, folder / "encounters.parquet")
        np.save(folder / "labels.npy", self.labels)

    @classmethod
    def read(cls, folder: Path | str) -> Encounters:
        """Read and check what `write` wrote."""
        folder = Path(folder)
        labels = read_labels(folder)
        table = pq.ParquetFile(folder / "encounters.parquet").read().replace_schema_metadata(None)
        encounters = cls(table.cast(SCHEMA))
        encounters.validate(str(folder))
        if not np.array_equal(labels, encounters.labels):
            raise StudyError(
                f"{folder}: labels.npy and encounters.parquet disagree; delete the folder and "
                "let the workflow write it again"
            )
        return encounters


def read_labels(folder: Path) -> NDArray[np.int8]:
    """Memory-map the class of every encounter without reading Parquet, int8 [n]."""
    try:
        labels: NDArray[np.int8] = np.load(folder / "labels.npy", mmap_mode="r")
    except (FileNotFoundError, ValueError) as error:
        raise StudyError(
            f"{folder} is no complete folder of encounters ({error}); delete it and let the "
            "workflow write it again"
        ) from None
    return labels


def encounter_table(
    encounter: Any,
    cluster: Any,
    label: Any,
    patient: Any = None,
    time: Any = None,
    partition: Any = None,
) -> pa.Table:
    """The table of Encounters from equally long columns (arrays, lists); None is all null."""
    columns = (encounter, patient, cluster, time, label, partition)
    arrays = [
        pa.nulls(len(label), field.type)
        if column is None
        else pa.array(column, type=field.type, from_pandas=True)
        for field, column in zip(SCHEMA, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def repeated_rows(ids: Any) -> NDArray[np.int64]:
    """Rows (from 0) of every id that occurs more than once, ascending."""
    codes = pc.dictionary_encode(ids)
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    indices = codes.indices.to_numpy()
    return np.flatnonzero(np.bincount(indices)[indices] > 1)


def _some(rows: NDArray[np.int64], most: int = 6) -> str:
    shown = ", ".join(str(row) for row in rows[:most])
    return shown if len(rows) <= most else f"{shown}, ... ({len(rows)} in all)"
