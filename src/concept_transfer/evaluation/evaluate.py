"""From the predictions of cells with one target to replicate rows, estimates and draws."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from concept_transfer.cell import Cell
from concept_transfer.errors import StudyError
from concept_transfer.evaluation.bootstrap import CellDraws, Resample, draw_cell, resample
from concept_transfer.evaluation.cell_predictions import CellPredictions, cell_name
from concept_transfer.evaluation.cell_rows import (
    calibration_rows,
    estimate_rows,
    measured,
    replicate_rows,
)
from concept_transfer.evaluation.class_rows import (
    calibration_rows_of_classes,
    measured_classes,
    replicate_rows_of_classes,
)
from concept_transfer.evaluation.delong import auroc, placements
from concept_transfer.evaluation.metrics import (
    METRICS,
    OF_ALL,
    OF_CLASS,
    condense,
    condense_classes,
    metrics_of,
    weighted_metrics_of_classes,
)
from concept_transfer.evaluation.schemas import CALIBRATION, ESTIMATES, REPLICATES, SUBGROUPS
from concept_transfer.evaluation.subgroups import subgroup_rows
from concept_transfer.parquet import table_of
from concept_transfer.settings.evaluation import Evaluation


@dataclass(frozen=True)
class TargetEvaluation:
    """The files under ``metrics/<target>/<embedding>/`` (see docs/contracts.md)."""

    replicates: pa.Table
    estimates: pa.Table
    subgroups: pa.Table
    calibration: pa.Table
    draws: dict[str, np.ndarray]

    def write(self, folder: str | Path) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("replicates", "estimates", "subgroups", "calibration"):
            pq.write_table(getattr(self, name), folder / f"{name}.parquet")
        with (folder / "draws.npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self.draws)


def evaluate_cells(
    cells: Sequence[CellPredictions],
    encounter: np.ndarray,
    cluster: np.ndarray,
    settings: Evaluation,
    seed: int,
    groups: Mapping[str, np.ndarray] | None = None,
    classes: Sequence[str] = (),
) -> TargetEvaluation:
    """Evaluate cells that share a target.

    ``encounter`` and ``cluster`` [m] are columns of the target's split and ``groups`` [m] the
    encounters' subgroups by variable; every test encounter must be among them. ``classes``: the
    names of the outcome's classes, if more than two. Replicates that failed are counted
    (``not_estimable``, ``diverged``) and left out of the mean. Raises StudyError if targets, test
    encounters or classes differ between the cells.
    """
    names = list(classes) if len(classes) > 2 else []
    _check_classes(cells, names)
    place = _places(cells, encounter)
    clusters = cluster[place]
    tested = {variable: group[place] for variable, group in (groups or {}).items()}
    numbers = np.unique(np.concatenate([cell.replicates for cell in cells]))
    first = cells[0]
    sample = resample(clusters, first.fold, numbers, settings.draws, seed, first.cell.target)
    draws = [_draws(cell, sample, settings.alert_rate) for cell in cells]
    cell_placements = [_mean_placements(cell) for cell in cells]
    values: list[dict[str, Any]] = []
    estimates: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for cell, drawn, placement in zip(cells, draws, cell_placements, strict=True):
        if names:
            parts = measured_classes(cell, names, drawn, placement, settings)
            rows = replicate_rows_of_classes(cell, parts)
            curves += calibration_rows_of_classes(cell, names)
        else:
            parts = [measured(cell, drawn, placement, settings)]
            rows = replicate_rows(cell, drawn, settings.alert_rate)
            curves += calibration_rows(cell)
        values += rows
        for part in parts:
            estimates += estimate_rows(cell, part, sample, settings, rows)
    sizes = list(dict.fromkeys(cell.cell.size for cell in cells if cell.cell.size != "0"))
    sizes = sizes or ["all"]
    whole = metrics_of(first.classes)
    arrays = {
        "cells": np.array([json.dumps(cell.cell.as_dict()) for cell in cells]),
        "classes": np.array(first.classes),
        "metrics": np.array(list(whole)),
        "draws": np.stack([d.crossed[: len(whole)] for d in draws]).astype(np.float32),
        "sampling_draws": np.stack([d.sampling[: len(whole)] for d in draws]).astype(np.float32),
        "parts": np.stack(
            [_all_replicates(d.parts, c, numbers) for d, c in zip(draws, cells, strict=True)]
        ),
        "sizes": np.array(sizes),
        "seen": np.stack([_all_replicates(_seen(c, cells, sizes), c, numbers) for c in cells]),
        "replicates": numbers,
        "labels": first.labels,
        "resample": np.array(sample.digest),
    }
    if sample.independent:
        arrays["placements"] = np.stack(cell_placements).astype(np.float32)
    return TargetEvaluation(
        replicates=table_of(values, REPLICATES),
        estimates=table_of(estimates, ESTIMATES),
        subgroups=table_of(
            chain(*(subgroup_rows(cell, tested, clusters, settings) for cell in cells)), SUBGROUPS
        ),
        calibration=table_of(curves, CALIBRATION),
        draws=arrays,
    )


def _check_classes(cells: Sequence[CellPredictions], names: Sequence[str]) -> None:
    expected = len(names) or 2
    for cell in cells:
        if cell.classes != expected:
            raise StudyError(
                f"The predictions of {cell_name(cell.cell)} have {cell.classes} classes, but "
                f"task.classes has {expected}; they were made under another config. Remove them "
                "and run again."
            )


def _places(cells: Sequence[CellPredictions], encounter: np.ndarray) -> np.ndarray:
    """Where the cells' test encounters stand in ``encounter``."""
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
    return np.asarray(place.to_numpy())


def _draws(cell: CellPredictions, sample: Resample, alert_rate: float) -> CellDraws:
    kept = cell.probability[cell.estimable]
    if len(kept) == 0:
        count = len(METRICS) if cell.classes == 2 else len(OF_ALL) + cell.classes * len(OF_CLASS)
        nothing = np.full((count, sample.clusters.shape[1]), np.nan)
        parts = np.empty((0, sample.parts.shape[1], 2))
        return CellDraws(np.empty((count, 0)), nothing, nothing, parts)
    rows = np.searchsorted(sample.numbers, cell.replicates[cell.estimable])
    units = len(sample.clusters)
    if cell.classes > 2:
        of_classes = [condense_classes(cell.labels, p, sample.unit, units, cell.fold) for p in kept]
        return draw_cell(of_classes, rows, sample, alert_rate, weighted_metrics_of_classes)
    condensed = [condense(cell.labels, p, sample.unit, units, cell.fold) for p in kept]
    return draw_cell(condensed, rows, sample, alert_rate)


def _all_replicates(values: np.ndarray, cell: CellPredictions, numbers: np.ndarray) -> np.ndarray:
    """Values [estimable replicates, ...] in the order of ``numbers``; NaN for the others."""
    result = np.full((len(numbers), *values.shape[1:]), np.nan)
    result[np.searchsorted(numbers, cell.replicates[cell.estimable])] = values
    return result


def _seen(
    cell: CellPredictions, cells: Sequence[CellPredictions], sizes: Sequence[str]
) -> np.ndarray:
    """AUROC on the validation labels of each target size [estimable replicates, sizes, folds].

    A cell has those of its own size. A source model used none: it is judged on the labels that
    the other cells of a size could use (their draws are the same), or on all if there is none.
    """
    folds = np.unique(cell.fold)
    kept = np.flatnonzero(cell.estimable)
    seen = np.full((len(kept), len(sizes), len(folds)), np.nan)
    for place, size in enumerate(sizes):
        if cell.cell.size not in ("0", size):
            continue
        drawn = next((other for other in cells if other.cell.size == size), cell)
        for row, index in enumerate(kept):
            same = np.searchsorted(drawn.replicates, cell.replicates[index])
            for column, fold in enumerate(folds):
                allowed = drawn.validation[same].of_fold(fold).encounters
                part = cell.validation[index].of_fold(fold).among(allowed)
                seen[row, place, column] = auroc(part.labels, part.probability)
    return seen


def _mean_placements(cell: CellPredictions) -> np.ndarray:
    kept = cell.probability[cell.estimable]
    if len(kept) == 0 or np.isnan(auroc(cell.labels, kept[0], cell.fold)):
        return np.full((*cell.probability.shape[2:], len(cell.labels)), np.nan)
    return np.asarray(np.mean([placements(cell.labels, p, cell.fold) for p in kept], axis=0))


def read_cell(text: str) -> Cell:
    """A cell from its JSON form in ``draws.npz``."""
    return Cell(**json.loads(text))
