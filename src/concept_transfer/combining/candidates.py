"""The models that others can be made of: what a cell's predictions file says of each replicate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.cell import Cell
from concept_transfer.combining.pool import log_probabilities

Model = tuple[int, int]  # replicate and fold


@dataclass(frozen=True)
class Candidate:
    """One cell's models of a block of replicates.

    said: of each model the rows of the site that it speaks of (int64 [m], ascending) and their
    probabilities (float32 [m, classes]); source_auroc: of the models of a source as they are,
    where it is known.
    """

    cell: Cell
    said: Mapping[Model, tuple[NDArray[np.int64], NDArray[np.float32]]]
    source_auroc: Mapping[Model, float]

    @property
    def free(self) -> bool:
        """Whether no label of the target was used."""
        return self.cell.size == "0"

    def scores(self, model: Model, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Log probabilities [n, classes] of rows; None where the model does not speak of all."""
        known, probability = self.said[model]
        place = np.searchsorted(known, rows)
        if (place == len(known)).any() or (known[place] != rows).any():
            return None
        asked = probability[place]
        return None if np.isnan(asked).any() else log_probabilities(asked)


def read_candidate(path: Path, encounters: pa.Array) -> Candidate:
    """From a predictions file; encounters: the ids of the target's rows, in order."""
    file = pq.ParquetFile(path)
    metadata = file.schema_arrow.metadata
    names = [name for name in file.schema_arrow.names if name.startswith("probability")]
    table = file.read(["replicate", "fold", "encounter", *names])
    rows = pc.index_in(table["encounter"].cast(pa.string()), value_set=encounters).to_numpy()
    columns = [table[name].to_numpy() for name in names]
    probability = np.stack([1 - columns[0], *columns] if len(names) == 1 else columns, axis=1)
    replicate, fold = (table[name].to_numpy().astype(np.int64) for name in ("replicate", "fold"))
    order = np.lexsort([rows, fold, replicate])
    rows, probability, replicate, fold = (
        each[order] for each in (rows, probability, replicate, fold)
    )
    begins = np.flatnonzero(
        (np.diff(replicate, prepend=-1) != 0) | (np.diff(fold, prepend=-1) != 0)
    )
    said = {
        (int(replicate[part[0]]), int(fold[part[0]])): (rows[part], probability[part])
        for part in np.split(np.arange(len(rows)), begins[1:])
    }
    areas = {
        (record["replicate"], record["fold"]): float(record["source_auroc"])
        for record in json.loads(metadata[b"replicates"])
        if record.get("source_auroc") is not None
    }
    return Candidate(Cell(**json.loads(metadata[b"cell"])), said, areas)
