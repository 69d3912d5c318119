"""Learning curves: performance over the number of labelled target encounters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from concept_transfer.reporting.figures.canvas import (
    CEILING,
    MUTED,
    ROW_COLUMNS,
    RULE,
    Caption,
    Drawing,
    ceiling_line,
    ceiling_words,
    extent,
    row_panels,
    styled,
)
from concept_transfer.reporting.looks import Look, strategy_looks
from concept_transfer.reporting.rows import (
    arrange,
    direction_label,
    direction_stem,
    in_direction,
    level,
    rows_of,
    size_rank,
)
from concept_transfer.reporting.words import site_words
from concept_transfer.study import Study

LEVEL = (0, (5, 2))


@styled
def learning_curve(
    estimates: pd.DataFrame,
    study: Study,
    source: str,
    target: str,
    ceiling: Mapping[str, float] | None = None,
) -> Drawing:
    """AUROC over target size for one direction, a panel an embedding or simple model.

    A strategy without target labels runs through every panel as a level line, and so does the
    ``ceiling``, the target's Bayes-optimal AUROC (its ``estimate``), where it is known.
    """
    auroc = estimates[estimates["metric"] == "auroc"]
    cells = arrange(in_direction(auroc, source, target), study)
    rows = rows_of(cells)
    sizes = sorted(set(cells["size"]) - {"0"}, key=size_rank)
    used = set(cells["strategy"])
    looks = {name: look for name, look in strategy_looks(study).items() if name in used}
    columns = min(len(rows), ROW_COLUMNS)
    panel = (min(4.2, 7.9 / columns), 1.65)
    names = [row for row, _ in rows]
    title = direction_label(source, target)
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ms=4.5, lw=1.5, label=name)
        if study.strategy(name).uses_labels
        else Line2D([], [], color=look.colour, ls=LEVEL, lw=1.5, label=name)
        for name, look in looks.items()
    ]
    figure, axes = row_panels(names, panel, title, handles, "labels of the target")
    low, high = extent(cells)
    high = max(high, ceiling["estimate"]) if ceiling else high
    room = 0.03 * (high - low) or 0.01
    limits = (low - room, high + room)
    for index, (row, axis) in enumerate(zip(names, axes, strict=True)):
        _panel(axis, cells[cells["row"] == row], sizes, looks)
        if ceiling:
            ceiling_line(axis, ceiling["estimate"], CEILING if index == 0 else "")
        axis.set(ylim=limits, xlim=(-0.25, len(sizes) - 0.75))
        axis.set_xticks(range(len(sizes)), sizes)
        axis.yaxis.grid(True, color=RULE, lw=0.6)
        axis.set_axisbelow(True)
        axis.locator_params(axis="y", nbins=5)
        if index % columns == 0:
            axis.set_ylabel("AUROC")
    data = cells[["row", "group", "strategy", "size", "estimate", "lower", "upper", "flag"]]
    return Drawing(_caption(cells, study, source, target, sizes, ceiling), figure, data)


def _panel(axis: Axes, cells: pd.DataFrame, sizes: list[str], looks: dict[str, Look]) -> None:
    place = {size: index for index, size in enumerate(sizes)}
    for strategy, look in looks.items():
        curve = cells[(cells["strategy"] == strategy) & cells["estimate"].notna()]
        if curve.empty:
            continue
        if set(curve["size"]) == {"0"}:
            level = curve.iloc[0]
            x = np.array([-0.25, len(sizes) - 0.75])
            bounds = [np.full(2, level[name]) for name in ("estimate", "lower", "upper")]
            marker = ""
        else:
            curve = curve[curve["size"].isin(sizes)]
            x = curve["size"].map(place).to_numpy(float)
            bounds = [curve[name].to_numpy(float) for name in ("estimate", "lower", "upper")]
            marker = look.marker
        axis.fill_between(x, bounds[1], bounds[2], color=look.colour, alpha=0.12, lw=0)
        axis.plot(
            x,
            bounds[0],
            color=look.colour,
            marker=marker,
            ms=4,
            lw=1.5,
            ls="-" if marker else LEVEL,
        )
    axis.axhline(0.5, color=MUTED, lw=0.6)


def _caption(
    cells: pd.DataFrame,
    study: Study,
    source: str,
    target: str,
    sizes: list[str],
    ceiling: Mapping[str, float] | None,
) -> Caption:
    where = direction_label(source, target)
    text = (
        f"AUROC on {target} against the number of labelled encounters that {target} itself could "
        f"contribute, validation included; bands are {level(study)} intervals."
    )
    if source:
        text += (
            f" Black is a model that never saw {site_words(source)}: a coloured line above it is "
            "what transfer adds, and where it catches up, own data suffice. Dashed lines are "
            "models that use no label of the target."
        )
    text += ceiling_words(ceiling)
    alt = f"Learning curves for {where} at {', '.join(sizes)} target labels"
    at_first = cells[cells["size"] == sizes[0]]
    alone, transferred = at_first[at_first["source"] == ""], at_first[at_first["source"] != ""]
    if alone["estimate"].notna().any() and transferred["estimate"].notna().any():
        alt += (
            f"; with {sizes[0]} labels the best target-only model reaches "
            f"{alone['estimate'].max():.3f} and the best model that uses the source "
            f"{transferred['estimate'].max():.3f}"
        )
    return Caption(
        stem=f"learning-curve_{direction_stem(source, target)}",
        section="learning curves",
        title=f"Learning curves, {where}",
        text=text,
        alt=alt + ".",
    )
