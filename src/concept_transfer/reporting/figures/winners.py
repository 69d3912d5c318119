"""Labels x shift -> strategy: how probable it is that each is the best."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from concept_transfer.reporting.answers.phrases import Row
from concept_transfer.reporting.figures.canvas import (
    INK,
    LEGEND_LINE,
    MUTED,
    Caption,
    Drawing,
    legend_above,
    legend_columns,
    styled,
    text_width,
)
from concept_transfer.reporting.looks import strategy_looks
from concept_transfer.reporting.rows import direction_label, size_rank
from concept_transfer.study import Study

MEASURE = "js_sum"
BAR = (1.25, 0.5)  # inches of a direction and size
BELOW = 0.45  # inches of the labels below
GAP = 0.12  # of a place's width and height
THICK = 0.5  # of a place's height
WORDS = 8.0  # points


@styled
def winners(rows: Sequence[Row], shift: pd.DataFrame | None, study: Study) -> Drawing:
    """A bar a direction (the least shifted at the bottom) and target size, split by strategy.

    rows: as of `comparison.winners`; shift: the table of site shift, None where it is unknown.
    """
    distance = _distances(rows, shift)
    places = sorted(distance, key=lambda place: distance[place], reverse=True)
    sizes = sorted({row["size"] for row in rows}, key=size_rank)
    winning = {row["strategy"] for row in rows if row["probability"] > 0}
    colours = {n: look.colour for n, look in strategy_looks(study).items() if n in winning}
    names = [_row_name(place, distance[place]) for place in places]
    margin = 0.2 + text_width([line for name in names for line in name.split("\n")])
    width = margin + len(sizes) * BAR[0] + 0.1
    across = legend_columns(list(colours), width - 0.1)
    top = 0.12 + LEGEND_LINE * -(-len(colours) // across)
    height = top + len(places) * BAR[1] + BELOW
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        (margin / width, BELOW / height, 1 - (margin + 0.1) / width, 1 - (top + BELOW) / height)
    )
    axes.set(xlim=(0, len(sizes)), ylim=(len(places), 0), xlabel="labels of the target")
    axes.set_yticks([i + 0.5 for i in range(len(places))], names)
    axes.set_xticks([i + 0.5 for i in range(len(sizes))], sizes)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bars = {
        key: list(group)
        for key, group in groupby(rows, lambda row: (row["source"], row["target"], row["size"]))
    }
    for (source, target, size), group in bars.items():
        _bar(axes, group, (sizes.index(size), places.index((source, target))), colours)
    handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
    legend_above(figure, handles, 0.05, columns=across)
    data = [
        {name: row[name] for name in ("source", "target", "size", "strategy")}
        | {"shift": distance[row["source"], row["target"]]}
        | {name: row[name] for name in ("probability", "auroc")}
        for row in rows
    ]
    known = not all(map(math.isnan, distance.values()))
    caption = _caption(list(bars.values()), known)
    return Drawing(caption, figure, pd.DataFrame(data))


def _distances(rows: Sequence[Row], shift: pd.DataFrame | None) -> dict[tuple[str, str], float]:
    """The shift of every direction, NaN where it is unknown."""
    known = {}
    if shift is not None:
        of_sites = shift[shift["measure"] == MEASURE]
        pairs = zip(of_sites["source"], of_sites["target"], strict=True)
        known = dict(zip(pairs, of_sites["estimate"].tolist(), strict=True))
    places = dict.fromkeys((row["source"], row["target"]) for row in rows)
    return {place: known.get(place, math.nan) for place in places}


def _row_name(place: tuple[str, str], distance: float) -> str:
    name = direction_label(*place)
    return name if math.isnan(distance) else f"{name}\nshift {distance:.2g} bits"


def _bar(
    axes: Axes, group: Sequence[Row], corner: tuple[int, int], colours: dict[str, str]
) -> None:
    """One bar, its parts as wide as they are probable, the AUROC of the most probable below."""
    left, top = corner[0] + GAP / 2, corner[1] + GAP
    for row in group:
        if row["probability"] > 0:
            width = row["probability"] * (1 - GAP)
            axes.add_patch(
                Rectangle((left, top), width, THICK, color=colours[row["strategy"]], lw=0)
            )
            left += width
    best = _favourite(group)
    words = f"{best['strategy']} {best['auroc']:.3f}".replace(" 0.", " .")
    axes.text(
        corner[0] + GAP / 2,
        top + THICK + 0.04,
        words,
        size=min(WORDS, WORDS * BAR[0] * 0.95 / text_width([words], WORDS)),
        va="top",
        color=INK if best["probability"] >= 0.5 else MUTED,
    )


def _favourite(group: Sequence[Row]) -> Row:
    return max(group, key=lambda row: float(row["probability"]))


def _caption(bars: Sequence[Sequence[Row]], ordered: bool) -> Caption:
    order = (
        "Directions are ordered by their shift, the Jensen-Shannon divergence of the findings "
        "summed over concepts, the least at the bottom. "
    )
    favourites = [_favourite(group)["strategy"] for group in bars]
    often, times = Counter(favourites).most_common(1)[0]
    return Caption(
        stem="strategies",
        section="learning curves",
        title="Which strategy, with how many labels, at which shift",
        text="Each bar is split by the probability that a model of the strategy has the highest "
        "AUROC, over bootstrap draws of test clusters and replicates; below it the most probable "
        "strategy and the AUROC of its best model, which hindsight flatters (grey: probability "
        f"below one half). {order if ordered else ''}Strategies that combine the others take no "
        "part.",
        alt=f"Bars by direction and target size; {often} is most often the most probable best, in "
        f"{times} of {len(bars)} bars.",
    )
