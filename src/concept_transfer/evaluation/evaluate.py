"""From the predictions of cells with one target to replicate rows, estimates and draws."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from concept_transfer.errors import StudyError
from concept_transfer.evaluation.bootstrap import CellDraws, Resample, draw_cell, resample
from concept_transfer.evaluation.calibration import (
    brier_decomposition,
    logit,
    recalibration,
    sigmoid,
)
from concept_transfer.evaluation.cells import CellPredictions, Sample, cell_name
from concept_transfer.evaluation.delong import auroc, placements, variance
from concept_transfer.evaluation.intervals import plain_interval, share_interval, variance_of
from concept_transfer.evaluation.metrics import (
    CALIBRATION,
    DECOMPOSITION,
    METRICS,
    condense,
    metrics,
    no_skill,
)
from concept_transfer.grid import Cell
from concept_transfer.study import Evaluation

CELL_COLUMNS = ("source", "target", "embedding", "classifier", "strategy", "size")
RECALIBRATION_POSITIVES = 10  # of either class; fewer cannot carry an intercept and a slope
REPLICATE_COLUMNS = (
    *((name, pa.string()) for name in CELL_COLUMNS),
    ("replicate", pa.int32()),
    ("partition", pa.string()),
    ("metric", pa.string()),
    ("value", pa.float64()),
)
ESTIMATE_COLUMNS = (
    *((name, pa.string()) for name in CELL_COLUMNS),
    ("metric", pa.string()),
    *(
        (name, pa.float64())
        for name in (
            "estimate",
            "lower",
            "upper",
            "sampling_se",
            "replicate_sd",
            "no_skill",
        )
    ),
    *(
        (name, pa.int64())
        for name in (
            "encounters",
            "clusters",
            "positives",
            "replicates",
            "not_estimable",
            "undefined_draws",
        )
    ),
    ("method", pa.string()),
    ("flag", pa.string()),
)
SHARES = {"auroc", "auprc", "sensitivity_at_90", "sensitivity_at_95", "ppv_at_alert_rate", "brier"}
NAN = float("nan")


@dataclass(frozen=True)
class TargetEvaluation:
    """The three files under ``metrics/<target>/<embedding>/`` (see docs/contracts.md)."""

    replicates: pa.Table
    estimates: pa.Table
    draws: dict[str, np.ndarray]

    def write(self, folder: str | Path) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(self.replicates, folder / "replicates.parquet")
        pq.write_table(self.estimates, folder / "estimates.parquet")
        with (folder / "draws.npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self.draws)


def evaluate_cells(
    cells: Sequence[CellPredictions],
    encounter: np.ndarray,
    cluster: np.ndarray,
    settings: Evaluation,
    seed: int,
) -> TargetEvaluation:
    """Evaluate cells that share a target.

    ``encounter`` and ``cluster`` [m] are the columns of the target's split; every test encounter
    must be among them. Replicates that failed are counted in ``not_estimable`` and left out of
    the mean. Raises StudyError if targets or test encounters differ between the cells.
    """
    clusters = _clusters_of(cells, encounter, cluster)
    numbers = np.unique(np.concatenate([cell.replicates for cell in cells]))
    first = cells[0]
    sample = resample(clusters, first.fold, numbers, settings.draws, seed, first.cell.target)
    replicate_rows: list[dict[str, Any]] = []
    estimate_rows: list[dict[str, Any]] = []
    draws: list[CellDraws] = []
    cell_placements: list[np.ndarray] = []
    for cell in cells:
        draws.append(_draws(cell, sample, settings.alert_rate))
        replicate_rows += _replicate_rows(cell, draws[-1], settings.alert_rate)
        cell_placements.append(_mean_placements(cell))
        estimate_rows += _estimate_rows(cell, draws[-1], sample, cell_placements[-1], settings)
    arrays = {
        "cells": np.array([json.dumps(cell.cell.as_dict()) for cell in cells]),
        "metrics": np.array(METRICS),
        "draws": np.stack([d.crossed for d in draws]).astype(np.float32),
        "sampling_draws": np.stack([d.sampling for d in draws]).astype(np.float32),
        "parts": np.stack(
            [_all_replicates(d.parts, c, numbers) for d, c in zip(draws, cells, strict=True)]
        ),
        "seen": np.stack([_all_replicates(_seen(c), c, numbers) for c in cells]),
        "replicates": numbers,
        "labels": first.labels,
        "resample": np.array(sample.digest),
    }
    if sample.independent:
        arrays["placements"] = np.stack(cell_placements).astype(np.float32)
    return TargetEvaluation(
        _table(replicate_rows, REPLICATE_COLUMNS), _table(estimate_rows, ESTIMATE_COLUMNS), arrays
    )


def _table(rows: list[dict[str, Any]], columns: Sequence[tuple[str, pa.DataType]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def _clusters_of(
    cells: Sequence[CellPredictions], encounter: np.ndarray, cluster: np.ndarray
) -> np.ndarray:
    first = cells[0]
    for cell in cells[1:]:
        same = cell.cell.target == first.cell.target and cell.encounters.equals(first.encounters)
        if not same or (cell.labels != first.labels).any() or (cell.fold != first.fold).any():
            raise StudyError(
                f"{cell_name(cell.cell)} and {cell_name(first.cell)} were not tested on the same "
                "encounters; cells that are evaluated together share target and test set."
            )
    place = pc.index_in(first.encounters, value_set=pa.array(encounter, pa.string()))
    if place.null_count:
        raise StudyError(
            f"{place.null_count} test encounters of {cell_name(first.cell)} are not in the split "
            f"of {first.cell.target}; the predictions belong to another split."
        )
    return cluster[place.to_numpy()]


def _draws(cell: CellPredictions, sample: Resample, alert_rate: float) -> CellDraws:
    kept = cell.probability[cell.estimable]
    if len(kept) == 0:
        nothing = np.full((len(METRICS), sample.clusters.shape[1]), np.nan)
        parts = np.empty((0, sample.parts.shape[1], 2))
        return CellDraws(np.empty((len(METRICS), 0)), nothing, nothing, parts)
    rows = np.searchsorted(sample.numbers, cell.replicates[cell.estimable])
    condensed = [condense(cell.labels, p, sample.unit, len(sample.clusters)) for p in kept]
    return draw_cell(condensed, rows, sample, alert_rate)


def _all_replicates(values: np.ndarray, cell: CellPredictions, numbers: np.ndarray) -> np.ndarray:
    """Values [estimable replicates, ...] in the order of ``numbers``; NaN for the others."""
    result = np.full((len(numbers), *values.shape[1:]), np.nan)
    result[np.searchsorted(numbers, cell.replicates[cell.estimable])] = values
    return result


def _seen(cell: CellPredictions) -> np.ndarray:
    """AUROC on each fold's validation data [estimable replicates, folds]."""
    folds = np.unique(cell.fold)
    samples = [cell.validation[index] for index in np.flatnonzero(cell.estimable)]
    parts = [[sample.of_fold(fold) for fold in folds] for sample in samples]
    return np.array(
        [[auroc(part.labels, part.probability) for part in row] for row in parts], dtype=np.float64
    ).reshape(len(samples), len(folds))


def _mean_placements(cell: CellPredictions) -> np.ndarray:
    kept = cell.probability[cell.estimable]
    if len(kept) == 0 or cell.labels.min() == cell.labels.max():
        return np.full(len(cell.labels), np.nan)
    return np.mean([placements(cell.labels, p) for p in kept], axis=0)


def _replicate_rows(
    cell: CellPredictions, draws: CellDraws, alert_rate: float
) -> list[dict[str, Any]]:
    """Test metrics, the same after recalibration on validation data, and validation metrics."""
    names = cell.cell.as_dict()
    rows = []
    for column, index in enumerate(np.flatnonzero(cell.estimable)):
        number, probability = int(cell.replicates[index]), cell.probability[index]
        validation = cell.validation[index]
        test = dict(zip(METRICS, draws.observed[:, column].tolist(), strict=True))
        parts = brier_decomposition(cell.labels, probability)
        test |= dict(zip(DECOMPOSITION, parts, strict=True))
        test |= _recalibrated(cell, probability, validation)
        values = {"test": test}
        if len(validation.labels):
            values["validation"] = metrics(validation.labels, validation.probability, alert_rate)
        rows += [
            {**names, "replicate": number, "partition": part, "metric": name, "value": value}
            for part, named in values.items()
            for name, value in named.items()
        ]
    return rows


def _recalibrated(
    cell: CellPredictions, probability: np.ndarray, validation: Sample
) -> dict[str, float]:
    """Calibration on the test set after intercept and slope were fitted on validation data.

    With folds each is recalibrated by itself; none where a fold has too little to fit on.
    """
    adjusted = np.empty(len(probability))
    for fold in np.unique(cell.fold):
        own, tested = validation.of_fold(fold), cell.fold == fold
        positives = int(own.labels.sum())
        if min(positives, len(own.labels) - positives) < RECALIBRATION_POSITIVES:
            return {}
        intercept, slope = recalibration(own.labels, logit(own.probability))
        if np.isnan(slope):
            return {}
        adjusted[tested] = sigmoid(intercept + slope * logit(probability[tested]))
    values = metrics(cell.labels, adjusted)
    return {f"recalibrated_{name}": values[name] for name in CALIBRATION}


def _estimate_rows(
    cell: CellPredictions,
    draws: CellDraws,
    sample: Resample,
    placement: np.ndarray,
    settings: Evaluation,
) -> list[dict[str, Any]]:
    positives, kept = int(cell.labels.sum()), int(cell.estimable.sum())
    shared = {
        **cell.cell.as_dict(),
        "encounters": len(cell.labels),
        "clusters": len(sample.clusters),
        "positives": positives,
        "replicates": kept,
        "not_estimable": len(cell.replicates) - kept,
        "flag": "few positives" if positives < settings.min_positives else "",
    }
    chance = no_skill(positives / len(cell.labels))
    rows = []
    for index, metric in enumerate(METRICS):
        by_replicate = draws.observed[index]
        estimate = float(by_replicate.mean()) if kept else NAN
        delong = None
        if metric == "auroc" and sample.independent:
            delong = variance(cell.labels, placement)
        spread = variance_of(
            by_replicate, draws.sampling[index], draws.crossed[index], len(sample.clusters), delong
        )
        interval = share_interval if metric in SHARES else plain_interval
        lower, upper = interval(estimate, spread, settings.confidence)
        rows.append(
            {
                **shared,
                "metric": metric,
                "estimate": estimate,
                "lower": lower,
                "upper": upper,
                "sampling_se": spread.sampling**0.5,
                "replicate_sd": by_replicate.std(ddof=1) if kept > 1 else NAN,
                "no_skill": chance.get(metric, NAN),
                "undefined_draws": int(np.isnan(draws.crossed[index]).sum()),
                "method": spread.method,
            }
        )
    return rows


def read_cell(text: str) -> Cell:
    """A cell from its JSON form in ``draws.npz``."""
    return Cell(**json.loads(text))
