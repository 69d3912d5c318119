"""The ladder: AUROC rung by rung, and what every step gains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from concept_transfer.comparison.contrasts import LADDER
from concept_transfer.reporting.figures.canvas import (
    BAND,
    CEILING,
    LEGEND_LINE,
    MUTED,
    RULE,
    Caption,
    Drawing,
    ceiling_line,
    ceiling_words,
    extent,
    legend_above,
    legend_columns,
    styled,
    text_width,
)
from concept_transfer.reporting.looks import Look, learner_title, strategy_looks
from concept_transfer.reporting.rows import (
    direction_label,
    direction_stem,
    in_direction,
    level,
    size_label,
    size_rank,
)
from concept_transfer.study import Study

WIDTH = 7.7  # inches of all panels of a row
RUNG = 0.3  # inches a rung has at least
HEIGHTS = (1.75, 1.15)  # of AUROC and of the steps
LEFT = 0.8
GAPS = (0.2, 0.14)  # between columns, and between the two panels of a column
HEAD = 0.3  # above a row of columns
SPREAD = 0.6  # of a rung's place that its strategies share
SHOWN = ("better", "worse", "equivalent")
SLANT = 40  # degrees of names that do not fit level


@dataclass(frozen=True)
class Layout:
    """Columns of panels, in inches: their number and width, how many stand side by side, and what
    the rungs' names need below each row of them (``slanted`` where level ones would collide)."""

    count: int
    across: int
    width: float
    below: float
    slanted: bool

    @property
    def rows(self) -> int:
        return -(-self.count // self.across)

    @property
    def row_height(self) -> float:
        return HEAD + sum(HEIGHTS) + GAPS[1] + self.below


@styled
def ladder(
    estimates: pd.DataFrame,
    comparisons: pd.DataFrame,
    study: Study,
    classifier: str,
    source: str,
    target: str,
    ceiling: Mapping[str, float] | None = None,
) -> Drawing | None:
    """A column a target size: AUROC of every rung above, the difference that each step makes below.

    ``comparisons``: as `concept_transfer.reporting.sides.labelled` gives them; filled markers are
    steps that Holm's method calls. ``ceiling``: the target's Bayes-optimal AUROC. None where the
    classifier has no estimate on the ladder.
    """
    cells = _rungs(estimates, study, classifier, source, target)
    if cells["estimate"].isna().all():
        return None
    steps = _steps(comparisons, study, classifier, source, target)
    sizes = sorted(set(cells["size"]), key=size_rank)
    used = set(cells["strategy"])
    looks = {name: look for name, look in strategy_looks(study).items() if name in used}
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ms=4.5, lw=1.2, label=name)
        for name, look in looks.items()
    ]
    layout = _layout(study.ladder, len(sizes))
    title = f"{direction_label(source, target)}, {learner_title(study, classifier)}"
    indent = 0.4 + text_width([title], 11)
    legend = legend_columns(list(looks), LEFT + WIDTH - indent)
    top = 0.15 + LEGEND_LINE * -(-len(looks) // legend)
    figure, columns = _columns(layout, top)
    high = max(extent(cells)[1], ceiling["estimate"] if ceiling else 0.0)
    limits = (_with_room(extent(cells)[0], high), _with_room(*_around_zero(steps)))
    for index, (size, (upper, lower)) in enumerate(zip(sizes, columns, strict=True)):
        upper.set_title(size_label(size), pad=4)
        of_size = cells[cells["size"] == size]
        own = {name: look for name, look in looks.items() if name in set(of_size["strategy"])}
        _draw(upper, of_size, own, lines=True)
        _draw(lower, steps[steps["size"] == size], own, lines=False)
        if ceiling:
            ceiling_line(upper, ceiling["estimate"], "" if index else CEILING)
        lower.axhline(0, color=MUTED, lw=0.8, zorder=1)
        _frame(upper, lower, study.ladder, limits, layout)
        first = index % layout.across == 0
        for axis, words in ((upper, "AUROC"), (lower, "step")):
            axis.tick_params(axis="y", labelleft=first)
            axis.set_ylabel(words if first else "")
            axis.yaxis.set_label_coords(-0.55 / layout.width, 0.5)
    width, height = figure.get_size_inches()
    figure.text(0.1 / width, 1 - 0.08 / height, title, weight="bold", size=10.5, va="top")
    legend_above(figure, handles, indent, columns=legend)
    data = pd.concat([cells.assign(shows="AUROC"), steps.assign(shows="difference")])
    names = ["shows", "rung", "before", "strategy", "size", "estimate", "lower", "upper", "verdict"]
    caption = _caption(cells, steps, study, classifier, (source, target), ceiling)
    return Drawing(caption, figure, data.reindex(columns=names).reset_index(drop=True))


def _rungs(
    estimates: pd.DataFrame, study: Study, classifier: str, source: str, target: str
) -> pd.DataFrame:
    """The cells of the ladder: rung, place, strategy, size, estimate, lower, upper, solid."""
    chosen = estimates[
        (estimates["metric"] == "auroc")
        & (estimates["classifier"] == classifier)
        & estimates["embedding"].isin(study.ladder)
    ]
    chosen = in_direction(chosen, source, target)
    place = {rung: number for number, rung in enumerate(study.ladder)}
    return chosen.assign(
        rung=chosen["embedding"],
        place=chosen["embedding"].map(place).astype(float),
        solid=chosen["flag"].fillna("") == "",
    ).sort_values("place", kind="stable")


def _steps(
    comparisons: pd.DataFrame, study: Study, classifier: str, source: str, target: str
) -> pd.DataFrame:
    """The steps of the ladder, with the intervals at which Holm's method judged them."""
    chosen = comparisons[
        (comparisons["metric"] == "auroc")
        & (comparisons["family"] == LADDER)
        & (comparisons["classifier"] == classifier)
    ]
    chosen = in_direction(chosen, source, target)
    chosen = chosen.assign(
        rung=[side[0].embedding for side in chosen["a_cells"]],
        before=[side[0].embedding for side in chosen["b_cells"]],
    )
    below = dict(zip(study.ladder[1:], study.ladder, strict=False))
    chosen = chosen[chosen["before"] == chosen["rung"].map(below)]
    place = {rung: number for number, rung in enumerate(study.ladder)}
    return chosen.assign(
        place=chosen["rung"].map(place).astype(float) - 0.5,
        estimate=chosen["difference"].astype(float),
        lower=chosen["lower_holm"].fillna(chosen["lower"]).astype(float),
        upper=chosen["upper_holm"].fillna(chosen["upper"]).astype(float),
        solid=chosen["verdict"].isin(SHOWN),
    )


def _layout(rungs: list[str], count: int) -> Layout:
    least = max(1.6, RUNG * len(rungs))
    across = min(count, max(1, int((WIDTH + GAPS[0]) / (least + GAPS[0]))))
    width = min(3.6, (WIDTH + GAPS[0]) / across - GAPS[0])
    slanted = text_width(rungs, 9) > width / len(rungs)
    below = text_width(rungs, 9) * np.sin(np.radians(SLANT)) if slanted else 0.15
    return Layout(count, across, width, 0.25 + below, slanted)


def _columns(layout: Layout, top: float) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    width = LEFT + layout.across * (layout.width + GAPS[0]) - GAPS[0] + 0.15
    height = top + layout.rows * layout.row_height
    figure = Figure(figsize=(width, height))
    columns = []
    for index in range(layout.count):
        row, column = divmod(index, layout.across)
        x = LEFT + column * (layout.width + GAPS[0])
        y = height - top - row * layout.row_height - HEAD
        both = []
        for own in HEIGHTS:
            y -= own
            place = (x / width, y / height, layout.width / width, own / height)
            both.append(figure.add_axes(place))
            y -= GAPS[1]
        columns.append((both[0], both[1]))
    return figure, columns


def _draw(axis: Axes, cells: pd.DataFrame, looks: Mapping[str, Look], lines: bool) -> None:
    """Estimates with intervals, the strategies of a rung side by side."""
    middle = (len(looks) - 1) / 2
    step = SPREAD / max(len(looks) - 1, 4)
    for order, (strategy, look) in enumerate(looks.items()):
        own = cells[(cells["strategy"] == strategy) & cells["estimate"].notna()]
        x = own["place"].to_numpy(float) + (order - middle) * step
        axis.vlines(x, own["lower"], own["upper"], color=look.colour, lw=1.1, zorder=2)
        if lines:
            axis.plot(x, own["estimate"], color=look.colour, lw=0.9, alpha=0.55, zorder=2)
        axis.scatter(
            x,
            own["estimate"],
            s=17,
            marker=look.marker,
            facecolor=[look.colour if solid else "white" for solid in own["solid"]],
            edgecolor=look.colour,
            linewidth=0.8,
            zorder=3,
        )


def _frame(
    upper: Axes,
    lower: Axes,
    rungs: list[str],
    limits: tuple[tuple[float, float], tuple[float, float]],
    layout: Layout,
) -> None:
    for axis, y in zip((upper, lower), limits, strict=True):
        axis.set(xlim=(-0.5, len(rungs) - 0.5), ylim=y)
        axis.yaxis.grid(True, color=RULE, lw=0.6)
        axis.set_axisbelow(True)
        for index in range(0, len(rungs), 2):
            axis.axvspan(index - 0.5, index + 0.5, color=BAND, lw=0, zorder=0)
    upper.locator_params(axis="y", nbins=5)
    lower.locator_params(axis="y", nbins=4)
    upper.set_xticks([])
    lower.set_xticks(range(len(rungs)), rungs)
    if layout.slanted:
        for name in lower.get_xticklabels():
            name.set(rotation=SLANT, ha="right", rotation_mode="anchor")
    lower.tick_params(axis="x", length=0)


def _around_zero(steps: pd.DataFrame) -> tuple[float, float]:
    low, high = extent(steps) if len(steps) else (0.0, 0.0)
    return min(low, 0.0), max(high, 0.0)


def _with_room(low: float, high: float) -> tuple[float, float]:
    room = 0.05 * (high - low) or 0.01
    return low - room, high + room


def _caption(
    cells: pd.DataFrame,
    steps: pd.DataFrame,
    study: Study,
    classifier: str,
    pair: tuple[str, str],
    ceiling: Mapping[str, float] | None,
) -> Caption:
    where = direction_label(*pair)
    gains = int((steps["verdict"] == "better").sum())
    losses = int((steps["verdict"] == "worse").sum())
    known = cells["estimate"].dropna()
    return Caption(
        stem=f"ladder_{classifier}_{direction_stem(*pair)}",
        section="ladder",
        title=f"Ladder of {learner_title(study, classifier)}, {where}",
        text=f"Each rung adds something to the one on its left. Above, AUROC on {pair[1]} with "
        f"{level(study)} intervals (hollow: too few test encounters for a conclusion); below, "
        "between two rungs, the paired difference that the step makes, with the interval at which "
        "Holm's method judged it among all steps of the study: filled markers are shown to differ, "
        "hollow ones are not, or could not be tested. Columns are labels of the target."
        f"{ceiling_words(ceiling)}",
        alt=f"Ladder of {len(study.ladder)} rungs from {study.ladder[0]} to {study.ladder[-1]} for "
        f"{where}: AUROC between {known.min():.3f} and {known.max():.3f}; of {len(steps)} steps "
        f"{gains} are shown to gain and {losses} to lose.",
    )
