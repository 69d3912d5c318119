"""What all figures share: style, colours, small multiples, and how they are written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from concept_transfer.reporting.columns import interval
from concept_transfer.reporting.formats import csv_text

ROW_COLUMNS = 4
LEGEND_LINE = 0.2  # inches
CEILING = "Bayes-optimal"
INK = "#222222"
MUTED = "#5f6368"
RULE = "#d9dce1"
BAND = "#f4f5f7"

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "figure.facecolor": "white",
}
styled = mpl.rc_context(STYLE)


@dataclass(frozen=True)
class Caption:
    """The words of a figure: what it is, what to see in it, and the same for those who cannot.

    ``section`` is the part of the report that shows it (a key of `concept_transfer.reporting.page`
    ``SECTIONS``).
    """

    stem: str
    section: str
    title: str
    text: str
    alt: str


@dataclass(frozen=True)
class Drawing:
    """A figure with its words and the table of the numbers it shows.

    ``hover``: what a page says of a part under the pointer, by the part's gid.
    """

    caption: Caption
    figure: Figure
    data: pd.DataFrame
    hover: Mapping[str, str] = field(default_factory=dict)


def write_drawing(drawing: Drawing, folder: Path) -> list[Path]:
    """Write ``<stem>.svg``, ``.png``, ``.csv`` (the numbers drawn) and ``.json`` (the words)."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = drawing.caption.stem
    paths = drawing_files(stem, folder)
    with mpl.rc_context({**STYLE, "svg.hashsalt": stem}):
        FigureCanvasSVG(drawing.figure).print_svg(
            paths[0], metadata={"Date": None, "Creator": None, "Title": drawing.caption.title}
        )
        if drawing.hover:
            svg = paths[0].read_text(encoding="utf-8")
            paths[0].write_text(with_hover(svg, drawing.hover), encoding="utf-8")
        drawing.figure.dpi = 200
        FigureCanvasAgg(drawing.figure).print_png(paths[1], metadata={"Software": None})
    paths[2].write_text(csv_text(drawing.data), encoding="utf-8")
    words = json.dumps(asdict(drawing.caption), indent=2, ensure_ascii=False)
    paths[3].write_text(words + "\n", encoding="utf-8")
    return paths


def with_hover(svg: str, hover: Mapping[str, str]) -> str:
    """The SVG with a title in each part that has one.

    >>> with_hover('<g id="edge 1"><path/></g>', {"edge 1": "a & b"})
    '<g id="edge 1"><title>a &amp; b</title><path/></g>'
    """
    return re.sub(
        r'<g id="([^"]+)">',
        lambda part: (
            part[0] + (f"<title>{escape(hover[part[1]])}</title>" if part[1] in hover else "")
        ),
        svg,
    )


def drawing_files(stem: str, folder: Path) -> list[Path]:
    """The files of one figure."""
    return [folder / f"{stem}{suffix}" for suffix in (".svg", ".png", ".csv", ".json")]


def text_width(labels: Sequence[str], size: float = 9.5) -> float:
    """Inches that the longest label needs, at ``size`` points (wide-font estimate)."""
    return max((len(label) for label in labels), default=0) * size * 0.58 / 72


def extent(cells: pd.DataFrame) -> tuple[float, float]:
    """Lowest and highest number among estimates and bounds; 0 and 1 where there is none."""
    values = cells[["estimate", "lower", "upper"]].to_numpy(float)
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def panels(
    count: int,
    columns: int,
    panel: tuple[float, float],
    left: float,
    top: float,
    gap: tuple[float, float],
    bottom: float = 0.5,
    right: float = 0.15,
) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels, laid out in inches: ``panel`` and ``gap`` are (width, height)."""
    columns = min(columns, count)
    rows = -(-count // columns)
    width = left + columns * panel[0] + (columns - 1) * gap[0] + right
    height = top + rows * panel[1] + (rows - 1) * gap[1] + bottom
    figure = Figure(figsize=(width, height))
    axes = []
    for index in range(count):
        row, column = divmod(index, columns)
        x = left + column * (panel[0] + gap[0])
        y = bottom + (rows - 1 - row) * (panel[1] + gap[1])
        axes.append(figure.add_axes((x / width, y / height, panel[0] / width, panel[1] / height)))
    return figure, axes


def row_panels(
    rows: Sequence[str], panel: tuple[float, float], title: str, handles: list[Any], last: str
) -> tuple[Figure, list[Axes]]:
    """A panel under the name of each row, below a bold title with the legend beside it.

    ``panel``: width and height in inches; ``last``: label of the lowest panels' x axes.
    """
    columns = min(len(rows), ROW_COLUMNS)
    names = [handle.get_label() for handle in handles]
    indent = 0.4 + text_width([title], 11)
    across = legend_columns(names, 0.6 + columns * (panel[0] + 0.25) - indent)
    top = 0.45 + LEGEND_LINE * -(-len(names) // across)
    figure, axes = panels(len(rows), columns, panel, left=0.6, top=top, gap=(0.25, 0.62))
    size = max(min(10, 10 * panel[0] / text_width(rows, 11)), 6.5)
    for index, (row, axis) in enumerate(zip(rows, axes, strict=True)):
        axis.set_title(row, fontsize=size, pad=4)
        axis.tick_params(axis="y", labelleft=index % columns == 0)
        if index >= len(rows) - columns:
            axis.set_xlabel(last)
    width, height = figure.get_size_inches()
    figure.text(0.1 / width, 1 - 0.08 / height, title, weight="bold", size=10.5, va="top")
    legend_above(figure, handles, indent, columns=across)
    return figure, axes


def ceiling_line(axis: Axes, place: float, words: str = CEILING, *, outside: bool = False) -> None:
    """A level line at the best AUROC that any model could reach; its name stands below it on the
    left, or outside the axes, at the line's right end."""
    axis.axhline(place, color=MUTED, lw=0.8, ls=(0, (1, 1.5)), zorder=1)
    axis.annotate(
        words,
        (int(outside), place),
        xycoords=("axes fraction", "data"),
        xytext=(3, 0 if outside else -1.5),
        textcoords="offset points",
        ha="left",
        va="center" if outside else "top",
        size=8,
        color=MUTED,
    )


def ceiling_words(ceiling: Mapping[str, float] | None) -> str:
    """What a caption adds of that line."""
    if not ceiling:
        return ""
    bounds = interval(ceiling["estimate"], ceiling["lower"], ceiling["upper"])
    return (
        " The dotted line marked Bayes-optimal is the AUROC of the simulation's exact posterior on "
        f"the same test encounters, {bounds}: no model is better on average."
    )


def legend_columns(labels: Sequence[str], available: float) -> int:
    """How many legend entries fit side by side in ``available`` inches."""
    entry = text_width(labels) + 0.45
    total = sum(text_width([label]) + 0.45 for label in labels)
    return len(labels) if total <= available else max(1, int(available / entry))


def wrapped(name: str, width: float, size: float) -> str:
    """A name broken after underscores so that its lines fit ``width`` inches where they can."""
    lines: list[str] = []
    for piece in re.findall(r"[^_]*_?", name)[:-1]:
        if lines and text_width([lines[-1] + piece], size) <= width:
            lines[-1] += piece
        else:
            lines.append(piece)
    return "\n".join(lines)


def legend_above(figure: Figure, handles: list[Any], left: float, columns: int) -> None:
    """A frameless legend at the top left, ``left`` inches in."""
    width = figure.get_size_inches()[0]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left / width, 1.0),
        ncols=columns,
        borderaxespad=0.3,
        handletextpad=0.5,
        columnspacing=1.4,
    )
