"""Dot-and-interval plots: rows of estimates, strategies by colour, a panel a direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from concept_transfer.reporting.figures.canvas import (
    BAND,
    INK,
    LEGEND_LINE,
    MUTED,
    Caption,
    Drawing,
    extent,
    legend_above,
    legend_columns,
    panels,
    styled,
    text_width,
)
from concept_transfer.reporting.looks import Look, strategy_looks
from concept_transfer.reporting.rows import (
    arrange,
    at_size,
    direction_label,
    in_direction,
    rows_of,
)
from concept_transfer.study import Study

STRATEGY_STEP = 0.105
MAX_COLUMNS = 4
NARROW = 2.6


@dataclass(frozen=True)
class Dots:
    """What a plot shows: ``metric`` of all cells that serve ``pairs`` at one target size, and
    without labels.

    ``label`` names the axis; ``references`` maps the words of a vertical line to its place, the
    same in every panel; ``ceilings`` maps a target to the best value that any model could reach
    there (estimate, lower, upper).
    """

    metric: str
    size: str
    pairs: Sequence[tuple[str, str]]
    label: str
    references: Mapping[str, float]
    ceilings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def metric_dots(estimates: pd.DataFrame, study: Study, dots: Dots, caption: Caption) -> Drawing:
    """A row an embedding or simple model, a panel a direction.

    Cells with too few test encounters are hollow.
    """
    chosen = at_size(estimates[estimates["metric"] == dots.metric], study, dots.size)
    serving = [in_direction(chosen, *pair) for pair in dots.pairs]
    cells = arrange(pd.concat(serving), study)
    cells = cells.drop_duplicates(ignore_index=True)
    cells["solid"] = cells["flag"].fillna("") == ""
    data = cells[
        [
            *("target", "source", "row", "group", "classifier", "strategy", "size"),
            *("metric", "estimate", "lower", "upper", "flag"),
        ]
    ]
    lines = {target: dict(dots.references) for target in study.sites}
    for target, ceiling in dots.ceilings.items():
        lines[target]["Bayes-optimal"] = ceiling["estimate"]
    return draw_dots(cells, rows_of(cells), study, dots.pairs, caption, dots.label, lines, data)


@styled
def draw_dots(
    cells: pd.DataFrame,
    rows: list[tuple[str, str]],
    study: Study,
    pairs: Sequence[tuple[str, str]],
    caption: Caption,
    label: str,
    lines: Mapping[str, Mapping[str, float]],
    data: pd.DataFrame,
) -> Drawing:
    """Draw ``cells`` (row, strategy, source, target, estimate, lower, upper, solid).

    ``rows`` lists (row, group) from the top; ``lines`` maps a target to the words and places of
    its vertical lines.
    """
    used = set(cells["strategy"])
    looks = {name: look for name, look in strategy_looks(study).items() if name in used}
    row_height = max(0.34, STRATEGY_STEP * (len(looks) + 1.2))
    columns = min(len(pairs), MAX_COLUMNS)
    width = min(4.4, max(2.1, 7.8 / columns))
    left = 0.25 + text_width([row for row, _ in rows])
    across = legend_columns(list(looks), columns * (width + 0.35))
    lines_of_legend = -(-len(looks) // across)
    figure, axes = panels(
        len(pairs),
        columns,
        (width, row_height * len(rows)),
        left,
        top=0.55 + LEGEND_LINE * lines_of_legend,
        gap=(0.35, 0.95),
        right=0.2,
    )
    limits = _limits(cells, [place for line in lines.values() for place in line.values()])
    for index, ((source, target), axis) in enumerate(zip(pairs, axes, strict=True)):
        _panel(axis, in_direction(cells, source, target), rows, looks)
        axis.set(xlim=limits, ylim=(len(rows) - 0.5, -0.5))
        axis.locator_params(axis="x", nbins=4 if width < NARROW else 7)
        axis.set_title(direction_label(source, target), pad=17)
        axis.set_xlabel(label)
        _vertical_lines(axis, lines.get(target, {}), limits)
        axis.set_yticks(range(len(rows)), [row for row, _ in rows] if index % columns == 0 else [])
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ls="", ms=5.5, label=name)
        for name, look in looks.items()
    ]
    legend_above(figure, handles, left - 0.1, columns=across)
    return Drawing(caption, figure, data.reset_index(drop=True))


def _panel(
    axis: Axes, cells: pd.DataFrame, rows: list[tuple[str, str]], looks: dict[str, Look]
) -> None:
    place = {row: index for index, (row, _) in enumerate(rows)}
    middle = (len(looks) - 1) / 2
    step = 0.72 / max(len(looks) - 1, 4)
    for index in range(0, len(rows), 2):
        axis.axhspan(index - 0.5, index + 0.5, color=BAND, lw=0, zorder=0)
    groups = [group for _, group in rows]
    for index in range(1, len(rows)):
        if groups[index] != groups[index - 1]:
            axis.axhline(index - 0.5, color=MUTED, lw=0.7, zorder=1)
    for order, (strategy, look) in enumerate(looks.items()):
        dots = cells[(cells["strategy"] == strategy) & cells["estimate"].notna()]
        y = dots["row"].map(place).to_numpy(float) + (order - middle) * step
        axis.hlines(y, dots["lower"], dots["upper"], color=look.colour, lw=1.1, zorder=2)
        axis.scatter(
            dots["estimate"],
            y,
            s=17,
            marker=look.marker,
            facecolor=[look.colour if solid else "white" for solid in dots["solid"]],
            edgecolor=look.colour,
            linewidth=0.8,
            zorder=3,
        )
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _vertical_lines(axis: Axes, lines: Mapping[str, float], limits: tuple[float, float]) -> None:
    for words, place in lines.items():
        if not limits[0] <= place <= limits[1]:
            continue
        axis.axvline(place, color=MUTED, lw=0.8, ls=(0, (4, 3)), zorder=1)
        side = (place - limits[0]) / (limits[1] - limits[0])
        axis.annotate(
            words,
            (place, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="left" if side < 0.35 else "right" if side > 0.65 else "center",
            va="bottom",
            size=8.5,
            color=INK,
        )


def _limits(cells: pd.DataFrame, places: Sequence[float]) -> tuple[float, float]:
    """Limits around all intervals, and around lines that are not far from them."""
    low, high = extent(cells)
    near = 0.35 * (high - low)
    places = [place for place in places if low - near < place < high + near]
    low, high = min([low, *places]), max([high, *places])
    room = 0.04 * (high - low) or 0.01
    return low - room, high + room
