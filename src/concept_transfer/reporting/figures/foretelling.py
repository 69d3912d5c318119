"""How well methods foretell which codes come together in other patients."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from concept_transfer.reporting.figures.canvas import (
    BAND,
    INK,
    MUTED,
    Caption,
    Drawing,
    panels,
    styled,
    text_width,
)
from concept_transfer.reporting.interconnection_tables import method_table
from concept_transfer.reporting.interconnections import SECTION, Connected, is_control
from concept_transfer.reporting.rows import level
from concept_transfer.study import Study

LINE = 0.27  # inches a method
COLOUR, CONTROL = "#0072B2", "#7F7F7F"
PANELS = (  # column, its title, what lots would give
    ("precision", "precision at equal density", None),
    ("auroc_common", "AUROC, common pairs", 0.5),
    ("auroc_new", "AUROC, new edges", 0.5),
)


@styled
def foretelling(connected: Connected, study: Study) -> Drawing:
    """Precision with intervals, and areas among common pairs and for edges that are new."""
    frame = method_table(connected, study).raw
    frame = frame.sort_values("precision", na_position="first", kind="stable")
    frame = frame.reset_index(drop=True)
    names = frame["method"].tolist()
    left = 0.3 + text_width(names)
    figure, axes = panels(
        3, 3, (2.7, LINE * len(names) + 0.1), left=left, top=0.5, gap=(0.3, 0), bottom=0.5
    )
    for axis, (column, title, chance) in zip(axes, PANELS, strict=True):
        _panel(axis, frame, column, study)
        axis.set_title(title)
        axis.set_yticks(range(len(names)), names if axis is axes[0] else [""] * len(names))
        if chance is not None:
            axis.axvline(chance, color=MUTED, lw=0.8, ls=(0, (1, 1.5)), zorder=1)
    best = frame.dropna(subset=["precision"]).tail(1)
    words = (
        f"{best['method'].iloc[0]} is highest with {best['precision'].iloc[0]:.2f}."
        if len(best)
        else "Nothing could be judged."
    )
    caption = Caption(
        stem="interconnections-foretelling",
        section=SECTION,
        title="Which method foretells the edges of other patients",
        text="Learned from half of the clusters, judged on the other half, mean of both ways. "
        f"Precision, with {level(study)} intervals: of as many pairs as there are true edges, the "
        "share that are. Common pairs are those that chance alone would often bring together: "
        "there, how frequent two codes are helps little. New edges were none in the half that was "
        "learned from. Grey: controls without meaning. Dotted: what lots would give.",
        alt=f"Dot plot of {len(names)} methods by precision and two areas under curves; {words}",
    )
    columns = ["method", "role", "precision", "precision_lower", "precision_upper"]
    return Drawing(caption, figure, frame[[*columns, "auroc_common", "auroc_new"]])


def _panel(axis: Axes, frame: pd.DataFrame, column: str, study: Study) -> None:
    for row, name in enumerate(frame["method"]):
        if row % 2:
            axis.axhspan(row - 0.5, row + 0.5, color=BAND, lw=0, zorder=0)
        colour = CONTROL if is_control(study, name) else COLOUR
        value = frame[column].iloc[row]
        if pd.isna(value):
            continue
        if column == "precision" and not pd.isna(frame["precision_lower"].iloc[row]):
            bounds = frame[["precision_lower", "precision_upper"]].iloc[row]
            axis.plot(bounds, [row, row], color=colour, lw=1.6, zorder=2)
        axis.plot([value], [row], "o", color=colour, ms=5.5, zorder=3)
        axis.annotate(
            f"{value:.2f}".removeprefix("0"),
            (value, row),
            xytext=(0, 4.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=6.5,
            color=INK,
        )
    axis.set_ylim(-0.6, len(frame) - 0.3)
    axis.margins(x=0.09)
    axis.tick_params(axis="y", length=0)
