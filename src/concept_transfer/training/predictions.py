"""The predictions of one cell's block of replicates, and the file that holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.cell import Cell
from concept_transfer.private import private
from concept_transfer.sites.site import Site

OK, NOT_ESTIMABLE, DIVERGED = "ok", "not estimable", "diverged"
PARTITIONS = ("validation", "test", "train")


@dataclass
class Predictions:
    """Collects rows (replicate, fold, partition, encounter, probabilities) and records."""

    site: Site
    records: list[dict[str, Any]] = field(default_factory=list)
    _parts: list[tuple[int, int, str, NDArray[np.int64], NDArray[np.float32]]] = field(
        default_factory=list
    )

    def add(
        self,
        replicate: int,
        fold: int,
        partition: str,
        rows: NDArray[np.int64],
        probability: NDArray[np.float64],
    ) -> None:
        """Probabilities [n, classes] of the site's rows, of one of `PARTITIONS`, by a fold's
        models that had not seen them; NaN where there are none. Of two classes the second is
        kept."""
        kept = probability[:, 1] if probability.shape[1] == 2 else probability
        self._parts.append((replicate, fold, partition, rows, kept.astype(np.float32)))

    def tested(self, replicate: int) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[Any]]:
        """Labels, probabilities and folds of one replicate's test rows, all [n] (probabilities
        [n, classes] of more than two classes)."""
        parts = [
            (fold, rows, p)
            for r, fold, partition, rows, p in self._parts
            if r == replicate and partition == "test"
        ]
        rows = np.concatenate([rows for _, rows, _ in parts])
        fold = np.repeat([fold for fold, _, _ in parts], [len(rows) for _, rows, _ in parts])
        return self.site.labels[rows], np.concatenate([p for _, _, p in parts]), fold

    def write(self, path: Path, cell: Cell, made_from: str) -> None:
        """Write the Parquet file described in docs/contracts.md, atomically.

        made_from: digest of everything the predictions depend on, see `is_current`.
        """
        replicates, folds, partitions, parts, probabilities = zip(*self._parts, strict=True)
        sizes = [len(part) for part in parts]
        rows = np.concatenate(parts)
        partition = np.repeat([PARTITIONS.index(name) for name in partitions], sizes)
        encounters = pa.DictionaryArray.from_arrays(
            pa.array(rows.astype(np.int32)), pa.array(self.site.split.encounter)
        )
        table = pa.table(
            {
                "replicate": np.repeat(replicates, sizes).astype(np.int16),
                "fold": np.repeat(folds, sizes).astype(np.int16),
                "partition": pa.DictionaryArray.from_arrays(
                    pa.array(partition.astype(np.int8)), pa.array(PARTITIONS)
                ),
                "encounter": encounters,
                "label": self.site.labels[rows],
                **self._columns(np.concatenate(probabilities)),
            }
        )
        metadata = {
            "cell": json.dumps(cell.as_dict()),
            "replicates": json.dumps(self.records),
            "made_from": made_from,
        }
        temporary = path.with_name(f".{path.name}.partial")
        with private(path.parent, "predictions"):
            pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")
        temporary.replace(path)

    def _columns(self, probability: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """``probability`` of the outcome, or ``probability_<class>`` of each of several."""
        if probability.ndim == 1:
            return {"probability": probability}
        return {f"probability_{k}": column for k, column in enumerate(probability.T)}


def is_current(path: Path, made_from: str) -> bool:
    """Whether a predictions file is there and was made from just this.

    The target sizes of a strategy share a job, so that its start-up is paid once; a job that runs
    because one size was added keeps the files of the others.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return False
    return bool(metadata.get(b"made_from") == made_from.encode())


def record(
    replicate: int,
    fold: int,
    status: str,
    epochs: int,
    train: int,
    validation: int,
    labels: NDArray[np.int64],
) -> dict[str, Any]:
    """What the metadata of a predictions file says of one replicate and fold.

    labels: int64 [classes], how many of the training labels have each class. ``positives`` counts
    the second of two classes, or the rarest of several.
    """
    return {
        "replicate": replicate,
        "fold": fold,
        "status": status,
        "epochs": epochs,
        "train": train,
        "validation": validation,
        "positives": int(labels[1] if len(labels) == 2 else labels.min()),
    }
