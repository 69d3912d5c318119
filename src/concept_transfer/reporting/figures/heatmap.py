"""Strategy x embedding heat map of one direction."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from concept_transfer.reporting.figures.canvas import (
    INK,
    MUTED,
    RULE,
    Caption,
    Drawing,
    styled,
    text_width,
    wrapped,
)
from concept_transfer.reporting.rows import (
    arrange,
    direction_label,
    direction_stem,
    highest,
    in_direction,
    records,
    rows_of,
    size_rank,
)
from concept_transfer.study import Study

CELL_SIZE = (0.53, 0.29)
GROUP_GAP = 0.8
COLUMN_GAP = 0.25
HEADING, LINE = 9, 0.145  # size of column headings in points, height of a line in inches
GROUP_HEADINGS = {
    "pretrained": "pretrained embeddings",
    "control": "controls without meaning",
    "simple model": "simple models",
    "combination": "combinations of all models",
}
BLUES = LinearSegmentedColormap.from_list(
    "page_blues", mpl.colormaps["Blues"](np.linspace(0.04, 0.95, 256))
)


def colour_range(estimates: pd.DataFrame) -> tuple[float, float]:
    """AUROC limits shared by all heat maps of a study, rounded outwards to 0.05."""
    values = estimates.loc[estimates["metric"] == "auroc", "estimate"].dropna()
    if values.empty:
        return 0.5, 1.0
    low, high = np.floor(values.min() * 20) / 20, np.ceil(values.max() * 20) / 20
    return float(low), float(max(high, low + 0.05))


@styled
def heat_map(
    estimates: pd.DataFrame,
    study: Study,
    source: str,
    target: str,
    limits: tuple[float, float],
    note: str = "",
) -> Drawing:
    """AUROC of every cell that serves ``target`` from ``source``, target-only cells included.

    ``limits``: AUROC of the lightest and the darkest colour; ``note`` is added to the caption.
    """
    auroc = estimates[estimates["metric"] == "auroc"]
    cells = arrange(in_direction(auroc, source, target), study)
    rows, columns = rows_of(cells), _columns(cells, study)
    tops, headings = _row_positions(rows)
    lefts = _column_positions(columns)
    several_sizes = len({size for _, size in columns} - {"0"}) > 1

    margin = 0.25 + text_width([row for row, _ in rows])
    names = {
        name: wrapped(
            name, CELL_SIZE[0] * sum(1 for strategy, _ in columns if strategy == name), 10
        )
        for name in dict.fromkeys(strategy for strategy, _ in columns)
    }
    lines = 1 + max(name.count("\n") for name in names.values())
    head = (0.52 if several_sizes else 0.34) + LINE * lines
    body = (max(lefts.values()) + 1, max(tops.values()) + 1)
    width = margin + body[0] * CELL_SIZE[0] + 0.85
    height = head + body[1] * CELL_SIZE[1] + 0.1
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        (
            margin / width,
            0.1 / height,
            body[0] * CELL_SIZE[0] / width,
            body[1] * CELL_SIZE[1] / height,
        )
    )
    axes.set(xlim=(0, body[0]), ylim=(body[1], 0))
    axes.set_axis_off()
    figure.text(
        0.1 / width,
        1 - 0.08 / height,
        f"AUROC, {direction_label(source, target)}",
        weight="bold",
        size=10.5,
        va="top",
    )
    _label_rows(axes, tops, headings)
    _label_columns(axes, columns, lefts, names, several_sizes)
    _fill(axes, cells, tops, lefts, limits)
    _colour_bar(figure, limits, body[1] * CELL_SIZE[1])
    data = cells[
        ["row", "group", "classifier", "strategy", "size", "estimate", "lower", "upper", "flag"]
    ].rename(columns={"estimate": "auroc"})
    return Drawing(_caption(cells, source, target, note), figure, data.reset_index(drop=True))


def _columns(cells: pd.DataFrame, study: Study) -> list[tuple[str, str]]:
    present = set(zip(cells["strategy"], cells["size"], strict=True))
    rank = {name: index for index, name in enumerate(study.strategies)}
    return sorted(present, key=lambda pair: (rank[pair[0]], size_rank(pair[1])))


def _row_positions(
    rows: list[tuple[str, str]],
) -> tuple[dict[str, float], list[tuple[float, str]]]:
    tops: dict[str, float] = {}
    headings: list[tuple[float, str]] = []
    y, previous = 0.0, ""
    for row, group in rows:
        if group != previous:
            y += GROUP_GAP
            headings.append((y, GROUP_HEADINGS[group]))
            previous = group
        tops[row] = y
        y += 1
    return tops, headings


def _column_positions(columns: list[tuple[str, str]]) -> dict[tuple[str, str], float]:
    lefts: dict[tuple[str, str], float] = {}
    x, previous = 0.0, columns[0][0]
    for strategy, size in columns:
        x += COLUMN_GAP * (strategy != previous)
        lefts[strategy, size] = x
        x, previous = x + 1, strategy
    return lefts


def _label_rows(axes: Axes, tops: dict[str, float], headings: list[tuple[float, str]]) -> None:
    for row, top in tops.items():
        axes.text(-0.15, top + 0.5, row, ha="right", va="center")
    for top, heading in headings:
        axes.text(0, top - 0.12, heading, color=MUTED, size=8.5, style="italic", va="bottom")


def _label_columns(
    axes: Axes,
    columns: list[tuple[str, str]],
    lefts: dict[tuple[str, str], float],
    names: dict[str, str],
    several_sizes: bool,
) -> None:
    for strategy in names:
        places = [lefts[pair] for pair in columns if pair[0] == strategy]
        lift = -0.75 if several_sizes else 0.05
        axes.text(
            (places[0] + places[-1] + 1) / 2,
            lift,
            names[strategy],
            ha="center",
            va="bottom",
            weight="bold",
            size=HEADING,
            linespacing=1.2,
        )
    if several_sizes:
        for pair, left in lefts.items():
            text = "none" if pair[1] == "0" else pair[1]
            axes.text(left + 0.5, 0, text, ha="center", va="bottom", size=8.5, color=MUTED)
        axes.text(-0.15, 0, "target labels", ha="right", va="bottom", size=8.5, color=MUTED)


def _fill(
    axes: Axes,
    cells: pd.DataFrame,
    tops: dict[str, float],
    lefts: dict[tuple[str, str], float],
    limits: tuple[float, float],
) -> None:
    scale = Normalize(*limits, clip=True)
    eligible = cells[cells["flag"].fillna("") == ""]
    best = eligible["estimate"].max()
    for cell in records(cells):
        x, y = lefts[cell["strategy"], cell["size"]], tops[cell["row"]]
        known = not np.isnan(cell["estimate"])
        colour = BLUES(scale(cell["estimate"])) if known else (1.0, 1.0, 1.0, 1.0)
        axes.add_patch(
            Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="white" if known else RULE, lw=1)
        )
        missing = "supp." if cell.get("suppressed") else "n. e."
        text = f"{cell['estimate']:.3f}".removeprefix("0") if known else missing
        axes.text(
            x + 0.5,
            y + 0.52,
            text + ("*" if cell["flag"] else ""),
            ha="center",
            va="center",
            size=9,
            color=INK if _is_light(colour) else "white",
        )
        if cell["estimate"] == best and not cell["flag"]:
            axes.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor="black", lw=1.8, zorder=3))


def _is_light(colour: tuple[float, ...]) -> bool:
    """Whether dark text contrasts more with the colour than white text (WCAG luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return bool(np.dot(linear, (0.2126, 0.7152, 0.0722)) > 0.2)


def _colour_bar(figure: Figure, limits: tuple[float, float], body: float) -> None:
    width, height = figure.get_size_inches()
    length = min(body, 2.0)
    axes = figure.add_axes(
        (1 - 0.62 / width, (0.1 + body - length) / height, 0.12 / width, length / height)
    )
    steps = 40
    for step in range(steps):
        axes.add_patch(Rectangle((0, step / steps), 1, 1 / steps, color=BLUES(step / (steps - 1))))
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[])
    axes.set_yticks(
        [0, 0.5, 1], [f"{limits[0] + t * (limits[1] - limits[0]):.3g}" for t in (0, 0.5, 1)]
    )
    axes.yaxis.tick_right()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=2)


def _caption(cells: pd.DataFrame, source: str, target: str, note: str) -> Caption:
    where = direction_label(source, target)
    known = cells[cells["estimate"].notna() & (cells["flag"].fillna("") == "")]
    alt = f"Heat map of AUROC for {where}: {cells['row'].nunique()} rows"
    text = (
        f"AUROC on the test encounters of {target}, by embedding (rows) and strategy (columns); "
        f"darker is better and the colour scale is the same in every direction. "
    )
    if not known.empty:
        best, worst = highest(known), highest(known.assign(estimate=-known["estimate"]))
        alt += (
            f"; highest {best['estimate']:.3f} ({best['row']}, {best['strategy']}), "
            f"lowest {-worst['estimate']:.3f} ({worst['row']}, {worst['strategy']})"
        )
        text += "The frame marks the highest cell. "
    text += (
        "Where a pretrained row is no darker than its shuffled control, random vectors and one-hot "
        "findings of the same length, nothing shows that its vectors' meaning helped. Empty places "
        "are combinations that do not exist."
    )
    if (cells["flag"].fillna("") != "").any():
        text += " * Too few test encounters of a class."
    suppressed = cells.get("suppressed", pd.Series(False, index=cells.index)).astype(bool)
    if (cells["estimate"].isna() & ~suppressed).any():
        text += " n. e.: not estimable."
    if suppressed.any():
        text += " supp.: suppressed, because it would tell how few patients there are."
    return Caption(
        stem=f"heatmap_{direction_stem(source, target)}",
        section="heat maps",
        title=f"AUROC, {where}",
        text=text + note,
        alt=alt + ".",
    )
