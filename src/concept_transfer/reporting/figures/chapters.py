"""All codes against all codes, in the order of their chapters."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from concept_transfer.reporting.figures.canvas import (
    INK,
    MUTED,
    RULE,
    Caption,
    Drawing,
    styled,
    text_width,
)
from concept_transfer.reporting.interconnections import SECTION, Connected
from concept_transfer.study import Study

SIDE = 7.2  # inches of the matrix
LONGEST = 42  # characters of a chapter's name
LARGEST = 5.0  # of a ratio's logarithm to base 2
NONE = "of no chapter"
COLOURS = LinearSegmentedColormap.from_list(
    "together", [(0.0, "#0072B2"), (0.35, "#dbe9f4"), (0.5, "#f6e3cf"), (1.0, "#9c2f00")]
)


@styled
def chapter_map(connected: Connected, study: Study) -> Drawing:
    """Shrunken ratios of observed to expected counts of all pairs that may be shown, as a matrix
    whose codes are in the order of their chapters."""
    codes = connected.codes.assign(
        chapter_name=connected.codes["chapter_name"].replace("", NONE)
    ).sort_values(["chapter", "block", "code"], kind="stable")
    place = {code: number for number, code in enumerate(codes["code"])}
    matrix = np.full((len(codes), len(codes)), np.nan)
    one = connected.pairs["code_a"].map(place).to_numpy()
    other = connected.pairs["code_b"].map(place).to_numpy()
    logarithm = np.log2(connected.pairs["ratio"].to_numpy())
    matrix[one, other] = matrix[other, one] = logarithm
    names = list(dict.fromkeys(codes["chapter_name"]))
    margin = 0.25 + text_width([_short(name) for name in names], 7.5)
    width, height = margin + SIDE + 0.9, SIDE + 0.35
    figure = Figure(figsize=(width, height))
    axis = figure.add_axes((margin / width, 0.15 / height, SIDE / width, SIDE / height))
    scale = Normalize(-LARGEST / 2, LARGEST, clip=True)
    image = axis.imshow(
        _thick(matrix),
        cmap=COLOURS,
        norm=scale,
        interpolation="nearest",
        extent=(0, len(codes), len(codes), 0),
    )
    _chapters(axis, codes, names)
    bar = figure.add_axes(((margin + SIDE + 0.15) / width, 0.62, 0.14 / width, 0.3))
    ticks = [-2, 0, 2, 4]
    figure.colorbar(image, cax=bar, ticks=ticks)
    bar.set_yticklabels([f"{2.0**tick:g}" for tick in ticks])
    bar.set_title("ratio", size=8, loc="left")
    data = connected.pairs[["code_a", "code_b", "patients", "expected", "ratio"]]
    caption = Caption(
        stem="interconnections-chapters",
        section=SECTION,
        title="Pairs of codes, chapter by chapter",
        text="Each point is a pair of codes that at least "
        f"{max(study.evaluation.small_cells, 1)} patients have together; its colour is the ratio "
        "of observed to expected counts within groups of age and sex, shrunken by what all pairs "
        "show. White: fewer patients, which are not shown. Codes are in the order of the "
        "classification, with lines between its chapters: blocks on the diagonal are what a "
        "classification knows, points off it are what it does not.",
        alt=f"Matrix of {len(codes)} codes in {len(names)} chapters with {len(data)} pairs shown.",
    )
    return Drawing(caption, figure, data)


def _thick(matrix: np.ndarray) -> np.ndarray:
    """Points of a large matrix spread to empty neighbours, so that they can be seen."""
    if len(matrix) < 150:
        return matrix
    thick = matrix.copy()
    for across, down in ((0, 1), (1, 0), (1, 1)):
        moved = np.full_like(matrix, np.nan)
        moved[down:, across:] = matrix[: len(matrix) - down, : len(matrix) - across]
        thick = np.where(np.isnan(thick), moved, thick)
    return thick


def _chapters(axis: Axes, codes: pd.DataFrame, names: list[str]) -> None:
    """Lines between chapters, and their names beside those that have room for one."""
    counts = codes["chapter_name"].value_counts().reindex(names)
    ends = counts.cumsum().to_numpy()
    starts = np.concatenate([[0], ends[:-1]])
    room, last = len(codes) * 7.5 * 1.25 / 72 / SIDE, -np.inf
    for name, start, end in zip(names, starts, ends, strict=True):
        for line in (axis.axhline, axis.axvline):
            line(float(end), color=RULE, lw=0.7, zorder=2)
        middle = max((start + end) / 2, last + room)
        last = middle
        axis.text(
            -len(codes) * 0.012, middle, _short(name), ha="right", va="center", size=7.5, color=INK
        )
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(visible=True, color=MUTED)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1].rstrip(' ,')}…"
