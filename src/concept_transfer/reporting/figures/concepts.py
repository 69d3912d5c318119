"""A map of the concepts as an embedding sees them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from concept_transfer.reporting.figures.canvas import (
    INK,
    Caption,
    Drawing,
    legend_above,
    panels,
    styled,
)
from concept_transfer.reporting.looks import SPARE_COLOURS, Look

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", *SPARE_COLOURS[:3], "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LAYOUT_DPI = 200  # that of the written PNG, so that widths are the same
MOST_CATEGORIES = len(COLOURS)
PLACES = (  # where a label may stand: offset in points, horizontal and vertical alignment
    ((4, 0), "left", "center"),
    ((-4, 0), "right", "center"),
    ((0, 4), "center", "bottom"),
    ((0, -4), "center", "top"),
    ((3, 3), "left", "bottom"),
    ((-3, 3), "right", "bottom"),
    ((3, -3), "left", "top"),
    ((-3, -3), "right", "top"),
)


@styled
def concept_map(points: pd.DataFrame, embedding: str) -> Drawing:
    """The concepts of one embedding on its first two principal components.

    Labels that would lie on others are left out; the data name every point.
    """
    points = points[points["embedding"] == embedding].reset_index(drop=True)
    looks = looks_of(points["category"])
    categories = points["category"].where(points["category"].isin(looks), "other")
    figure, (axis,) = panels(
        1, 1, (7.6, 5.6), left=0.75, top=0.32 * (1 + len(looks) // 5), gap=(0, 0)
    )
    for category, look in looks.items():
        chosen = points[categories == category]
        axis.scatter(
            chosen["x"], chosen["y"], s=20, marker=look.marker, color=look.colour, lw=0, zorder=3
        )
    shares = points[["share_x", "share_y"]].iloc[0]
    axis.margins(0.08)
    axis.set_xlabel(f"first component, {100 * shares['share_x']:.0f} % of the variance")
    axis.set_ylabel(f"second component, {100 * shares['share_y']:.0f} %")
    _label(figure, axis, points)
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ls="", ms=5.5, label=category)
        for category, look in looks.items()
    ]
    legend_above(figure, handles, 0.65, columns=5)
    caption = Caption(
        stem=f"concept-map_{embedding}",
        section="geometry",
        title=f"Concepts as {embedding} sees them",
        text=f"Every concept (its present state) by {embedding}, on the two directions in which "
        f"their vectors differ most ({100 * shares.sum():.0f} % of the variance, so distances are "
        "only a hint). Colour and shape are the concept's category. Neighbours share what a source "
        "model learns; where they would also share the outcome, the embedding can carry a model to "
        "findings that the source never wrote down.",
        alt=f"Map of {len(points)} concepts in {points['category'].nunique()} categories; the two "
        f"axes show {100 * shares.sum():.0f} % of the variance.",
    )
    data = points[["concept", "name", "category", "x", "y"]]
    return Drawing(caption, figure, data)


def looks_of(categories: pd.Series) -> dict[str, Look]:
    """Colour and marker of the most frequent categories; the rest are 'other'."""
    names = list(categories.value_counts().index)
    if len(names) > MOST_CATEGORIES:
        names = [*names[: MOST_CATEGORIES - 1], "other"]
    return {
        name: Look(colour, marker)
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False)
    }


def _label(figure: Figure, axis: Axes, points: pd.DataFrame) -> None:
    """Name points, the most remote first, wherever a name fits beside its point."""
    figure.dpi = LAYOUT_DPI
    renderer = FigureCanvasAgg(figure).get_renderer()
    axis.apply_aspect()
    frame = axis.get_window_extent(renderer)
    places = axis.transData.transform(points[["x", "y"]].to_numpy())
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in places]
    centre = points[["x", "y"]].mean()
    remote = np.hypot(points["x"] - centre["x"], points["y"] - centre["y"])
    for index in np.argsort(-remote.to_numpy(), kind="stable"):
        point = points.iloc[index]
        others = [box for place, box in enumerate(taken) if place != index]
        for offset, horizontal, vertical in PLACES:
            text = axis.annotate(
                point["name"],
                (point["x"], point["y"]),
                xytext=offset,
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                size=7.5,
                color=INK,
            )
            box = text.get_window_extent(renderer).expanded(1.06, 1.1)
            if (
                frame.contains(*box.min)
                and frame.contains(*box.max)
                and not box.count_overlaps(others)
            ):
                taken.append(box)
                break
            text.remove()
