"""The evaluated cells of a study, read back from ``metrics/<target>/<embedding>/``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from concept_transfer.cell import CELL_COLUMNS, Cell
from concept_transfer.errors import StudyError
from concept_transfer.evaluation.evaluate import read_cell
from concept_transfer.evaluation.metrics import TESTED, Metric, metrics_of
from concept_transfer.evaluation.schemas import CLASS, ESTIMATES, REPLICATES
from concept_transfer.parquet import read_table

FILES = ("replicates.parquet", "estimates.parquet", "draws.npz")


@dataclass(frozen=True)
class CellResult:
    """One evaluated cell.

    ``estimates``: metric -> its row of ``estimates.parquet``, on all ``classes`` together, as are
    all numbers here; ``draws`` and
    ``sampling_draws``: metric -> float [draws], of clusters and replicates, and of clusters only;
    ``values``: (partition, metric) -> {replicate: value}. For the replicates ``numbers``:
    ``parts`` [replicates, parts, 2], AUROC on parts of the test clusters and on all others, and
    ``seen`` [replicates, sizes, folds], AUROC on the validation labels of the target ``sizes``.
    ``labels`` int8 [n] and ``placements`` [n] or, of more than two classes, [classes, n] (None
    where clusters hold several encounters) of the test encounters.
    """

    cell: Cell
    estimates: dict[str, dict[str, Any]]
    draws: dict[str, np.ndarray]
    sampling_draws: dict[str, np.ndarray]
    values: dict[tuple[str, str], dict[int, float]]
    parts: np.ndarray
    seen: np.ndarray
    sizes: tuple[str, ...]
    numbers: np.ndarray
    labels: np.ndarray
    placements: np.ndarray | None
    classes: int = 2

    def estimate(self, metric: str = TESTED) -> float:
        return float(self.estimates[metric]["estimate"])

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What was measured, the tested metric first."""
        return metrics_of(self.classes)

    @property
    def headline(self) -> bool:
        """It has an estimate, from enough test encounters of either class."""
        return not self.estimates[TESTED]["flag"] and not np.isnan(self.estimate())

    def mean(self, partition: str, metric: str = TESTED) -> float:
        """Mean over the replicates in which the metric is defined; NaN if there is none."""
        values = self.values.get((partition, metric), {}).values()
        known = [value for value in values if math.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")


Results = Mapping[Cell, CellResult]


def read_results(folders: Iterable[str | Path]) -> dict[Cell, CellResult]:
    """Read the metrics folders of a study, one a target and embedding.

    Raises StudyError where a file is missing or two folders of one target were drawn
    differently, so that their differences would not be paired.
    """
    results: dict[Cell, CellResult] = {}
    drawn: dict[str, tuple[str, Path]] = {}
    for folder in map(Path, folders):
        for cell, result, digest in _read_folder(folder):
            first, where = drawn.setdefault(cell.target, (digest, folder))
            if first != digest:
                raise StudyError(
                    f"{folder} and {where} hold bootstrap draws of different clusters, "
                    "replicates, seeds or numbers of draws, so cells cannot be compared in pairs; "
                    f"evaluate all embeddings of the target {cell.target} again."
                )
            results[cell] = result
    return results


def _read_folder(folder: Path) -> Iterable[tuple[Cell, CellResult, str]]:
    for name in FILES:
        if not (folder / name).is_file():
            raise StudyError(
                f"{folder} lacks {name}; comparisons need {', '.join(FILES)} (run the evaluation "
                "first)."
            )
    estimates: dict[Cell, dict[str, dict[str, Any]]] = {}
    for row in read_table(folder / "estimates.parquet", ESTIMATES).to_pylist():
        if not row[CLASS]:
            estimates.setdefault(cell_of(row), {})[row["metric"]] = row
    values: dict[Cell, dict[tuple[str, str], dict[int, float]]] = {}
    for row in read_table(folder / "replicates.parquet", REPLICATES).to_pylist():
        if not row[CLASS]:
            named = values.setdefault(cell_of(row), {})
            key = (row["partition"], row["metric"])
            named.setdefault(key, {})[row["replicate"]] = row["value"]
    with np.load(folder / "draws.npz", allow_pickle=False) as arrays:
        loaded = dict(arrays)
    metrics = loaded["metrics"].tolist()
    placements = loaded.get("placements")
    for index, text in enumerate(loaded["cells"].tolist()):
        cell = read_cell(text)
        yield (
            cell,
            CellResult(
                cell=cell,
                estimates=estimates[cell],
                draws=dict(zip(metrics, loaded["draws"][index], strict=True)),
                sampling_draws=dict(zip(metrics, loaded["sampling_draws"][index], strict=True)),
                values=values.get(cell, {}),
                parts=loaded["parts"][index],
                seen=loaded["seen"][index],
                sizes=tuple(loaded["sizes"].tolist()),
                numbers=loaded["replicates"],
                labels=loaded["labels"],
                placements=None if placements is None else placements[index],
                classes=int(loaded["classes"]),
            ),
            str(loaded["resample"]),
        )


def cell_of(row: Mapping[str, Any]) -> Cell:
    """The cell that a row of a tidy table is about."""
    return Cell(**{name: row[name] for name in CELL_COLUMNS})
