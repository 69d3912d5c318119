"""How alike an embedding makes a finding and its own negation."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from concept_transfer.reporting.figures.canvas import (
    BAND,
    Caption,
    Drawing,
    legend_above,
    panels,
    styled,
    text_width,
)
from concept_transfer.reporting.looks import Look, group_of
from concept_transfer.reporting.rows import records
from concept_transfer.study import Study

LOOKS = {
    "anisotropy": (Look("#E69F00", "o"), "two different concepts"),
    "present_absent": (Look("#0072B2", "D"), "a concept and its absence"),
}


@styled
def negation(geometry: pd.DataFrame, study: Study) -> Drawing:
    """Cosine of present and absent against that of two concepts, a row an embedding."""
    cosines = geometry[geometry["measure"].isin(LOOKS)]
    means = cosines.pivot(index="embedding", columns="measure", values="value").round(4)
    means = means.reindex([name for name in study.embeddings if name in means.index])
    rows = list(means.drop_duplicates().index)
    cosines = cosines[cosines["embedding"].isin(rows)]
    left = 0.25 + text_width(rows)
    figure, (axis,) = panels(1, 1, (4.6, 0.34 * len(rows)), left, top=0.4, gap=(0, 0))
    for place in range(0, len(rows), 2):
        axis.axhspan(place - 0.5, place + 0.5, color=BAND, lw=0, zorder=0)
    for measure, (look, _) in LOOKS.items():
        values = cosines[cosines["measure"] == measure].set_index("embedding").reindex(rows)
        y = pd.Series(range(len(rows))) + (0.13 if measure == "present_absent" else -0.13)
        axis.hlines(y, values["low"], values["high"], color=look.colour, lw=1.6)
        axis.scatter(values["value"], y, s=24, marker=look.marker, color=look.colour, zorder=3)
    low = min(0.0, cosines["low"].min())
    axis.set(xlim=(low - 0.03, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="cosine")
    axis.set_yticks(range(len(rows)), rows)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, lw=1.6, ms=5, label=words)
        for look, words in LOOKS.values()
    ]
    legend_above(figure, handles, left - 0.1, columns=2)
    data = cosines[["embedding", "measure", "value", "low", "high"]].reset_index(drop=True)
    return Drawing(_caption(cosines, study), figure, data)


def _caption(cosines: pd.DataFrame, study: Study) -> Caption:
    values = cosines.pivot(index="embedding", columns="measure", values="value")
    pretrained = [name for name in values.index if group_of(study, name) == "pretrained"]
    said = "; ".join(
        f"{row['embedding']} {row['present_absent']:.2f} against {row['anisotropy']:.2f}"
        for row in records(values.loc[pretrained].reset_index())
    )
    return Caption(
        stem="negation",
        section="geometry",
        title="A finding and its absence",
        text="Cosine between a concept's present and absent vectors (blue) and between the vectors "
        "of two different concepts (orange); markers are means, lines reach from the 5th to the "
        "95th percentile. Blue near 1 means that the embedding hardly tells a finding from its "
        "negation; orange far above 0 means that all concepts point the same way, so that few "
        "directions are left to tell them apart. Embeddings with the same angles (another scale of "
        "the same vectors, a shuffled control) are shown once.",
        alt=f"Cosine of present and absent against that of two concepts: {said}."
        if said
        else "Cosine of present and absent against that of two concepts.",
    )
