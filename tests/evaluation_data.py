"""Invented predictions, in memory and as files, for the tests of the evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.evaluation.cells import CellPredictions, Sample
from concept_transfer.grid import Cell


def a_cell(**changes: str) -> Cell:
    names = {
        "source": "north",
        "target": "south",
        "embedding": "minilm",
        "classifier": "cnn",
        "strategy": "full",
        "size": "200",
    }
    return Cell(**{**names, **changes})


def predictions(
    cell: Cell,
    labels: np.ndarray,
    probability: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> CellPredictions:
    """Labels [n], probability [replicates, n]; ``validation``: labels [m], probability."""
    count = len(probability)
    ids = pa.array([f"e{i:07d}" for i in range(len(labels))])
    held = (np.empty(0, np.int8), np.empty((count, 0))) if validation is None else validation
    names = pa.array([f"v{i:07d}" for i in range(len(held[0]))])
    return CellPredictions(
        cell=cell,
        encounters=ids,
        labels=labels.astype(np.int8),
        probability=probability.astype(np.float32),
        replicates=np.arange(count),
        validation=tuple(Sample(names, held[0].astype(np.int8), p) for p in held[1]),
        records=(),
    )


def encounter_ids(cell: CellPredictions) -> np.ndarray:
    return cell.encounters.to_numpy(zero_copy_only=False).astype(str)


def write_block(
    path: Path,
    cell: Cell,
    rows: list[tuple[int, str, str, int, float]],
    failed: dict[int, str] | None = None,
) -> Path:
    """Rows are (replicate, partition, encounter, label, probability)."""
    columns = list(zip(*rows, strict=True))
    table = pa.table(
        {
            "replicate": pa.array(columns[0], pa.int16()),
            "partition": pa.array(columns[1], pa.string()),
            "encounter": pa.array(columns[2], pa.string()),
            "label": pa.array(columns[3], pa.int8()),
            "probability": pa.array(columns[4], pa.float32()),
        }
    )
    records = [
        {"replicate": number, "fold": 0, "status": (failed or {}).get(number, "ok")}
        for number in sorted(set(columns[0]))
    ]
    metadata = {"cell": json.dumps(cell.as_dict()), "replicates": json.dumps(records)}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path
