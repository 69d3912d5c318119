"""Calibration curves: how often the outcome came where the models predicted a risk."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from concept_transfer.evaluation.calibration import wilson_interval
from concept_transfer.reporting.classes import class_stem, class_words
from concept_transfer.reporting.figures.canvas import (
    MUTED,
    ROW_COLUMNS,
    RULE,
    Caption,
    Drawing,
    row_panels,
    styled,
)
from concept_transfer.reporting.looks import Look, strategy_looks
from concept_transfer.reporting.rows import (
    KEYS,
    arrange,
    at_size,
    direction_label,
    direction_stem,
    in_direction,
    level,
    rows_of,
    size_label,
)
from concept_transfer.study import Study

POINTS = 10


def curve_points(bins: pd.DataFrame, threshold: int, confidence: float) -> pd.DataFrame:
    """The points of one cell's curve.

    Neighbouring bins are joined until a point stands for a tenth of the encounters and for at
    least ``threshold`` of them with and without the outcome, so that no point gives a small count
    away. Columns: predicted, observed, lower, upper.
    """
    numbers = bins.sort_values("bin")[["encounters", "positives", "predicted"]].to_numpy(float)
    weighted = numbers * [[1, 1, 0]] + numbers[:, :1] * numbers[:, 2:] * [[0, 0, 1]]
    least = numbers[:, 0].sum() // POINTS
    groups: list[NDArray[np.float64]] = []
    waiting = np.zeros(3)
    for row in weighted:
        waiting = waiting + row
        count, positives, _ = waiting
        if count >= least and min(positives, count - positives) >= max(threshold, 1):
            groups.append(waiting)
            waiting = np.zeros(3)
    if groups:
        groups[-1] = groups[-1] + waiting
    points = [
        (risk / count, positives / count, *wilson_interval(positives, int(count), confidence))
        for count, positives, risk in groups
    ]
    return pd.DataFrame(points, columns=["predicted", "observed", "lower", "upper"])


@styled
def calibration_curve(
    bins: pd.DataFrame, study: Study, size: str, source: str, target: str, name: str = ""
) -> Drawing | None:
    """Observed against predicted risk for one direction, a panel an embedding or simple model.

    ``bins``: the study's ``calibration.parquet`` files, of one class where there are more than two;
    ``name``: of that class. None where no cell has enough cases.
    """
    chosen = in_direction(at_size(bins, study, size), source, target)
    settings = study.evaluation
    curves = [
        curve_points(cell, settings.small_cells, settings.confidence).merge(
            cell[KEYS].head(1).reset_index(drop=True), how="cross"
        )
        for _, cell in chosen.groupby(KEYS, sort=False)
    ]
    filled = [curve for curve in curves if len(curve)]
    if not filled:
        return None
    cells = arrange(pd.concat(filled, ignore_index=True), study)
    rows = rows_of(cells)
    used = set(cells["strategy"])
    looks = {key: look for key, look in strategy_looks(study).items() if key in used}
    columns = min(len(rows), ROW_COLUMNS)
    side = min(2.6, 7.6 / columns)
    names = [row for row, _ in rows]
    title = direction_label(source, target) + class_words(name)
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ms=4.5, lw=1.5, label=strategy)
        for strategy, look in looks.items()
    ]
    figure, axes = row_panels(names, (side, side), title, handles, "predicted risk")
    most = 1.05 * float(cells[["predicted", "observed"]].to_numpy().max())
    for index, (row, axis) in enumerate(zip(names, axes, strict=True)):
        _panel(axis, cells[cells["row"] == row], looks)
        axis.set(xlim=(0, most), ylim=(0, most))
        axis.locator_params(nbins=5)
        if index % columns == 0:
            axis.set_ylabel("observed share")
    shown = ["row", "group", "strategy", "size", "predicted", "observed", "lower", "upper"]
    return Drawing(_caption(study, size, source, target, name), figure, cells[shown])


def _panel(axis: Axes, cells: pd.DataFrame, looks: dict[str, Look]) -> None:
    axis.grid(True, color=RULE, lw=0.6)
    axis.set_axisbelow(True)
    axis.axline((0, 0), slope=1, color=MUTED, lw=0.8)
    for strategy, look in looks.items():
        curve = cells[cells["strategy"] == strategy].sort_values("predicted")
        x = curve["predicted"]
        axis.fill_between(x, curve["lower"], curve["upper"], color=look.colour, alpha=0.1, lw=0)
        axis.plot(x, curve["observed"], color=look.colour, marker=look.marker, ms=3.5, lw=1.3)


def _caption(study: Study, size: str, source: str, target: str, name: str) -> Caption:
    where = direction_label(source, target) + class_words(name)
    return Caption(
        stem=f"calibration-curve_{direction_stem(source, target)}{class_stem(name)}",
        section="calibration",
        title=f"Calibration curves, {where}, {size_label(size)}",
        text="Test encounters by rank of their predicted risk, in tenths (wider where a tenth "
        "holds too few patients with or without the outcome to be shown): how often the outcome "
        "came, means over replicates. On the diagonal predictions can be read as risks; below it "
        f"they are too high, above it too low. Bands are {level(study)} intervals that take "
        "encounters as independent.",
        alt=f"Calibration curves for {where}: observed share of {name or study.task.label} against "
        "predicted risk, with the diagonal of perfect calibration.",
    )
