"""The figure of an extraction study: F1 of every tagger, by type, with intervals."""

from __future__ import annotations

from matplotlib.lines import Line2D

from concept_transfer.extraction.measuring import ALL_TYPES
from concept_transfer.reporting.extraction.evidence import ExtractionEvidence
from concept_transfer.reporting.figures.canvas import (
    INK,
    LEGEND_LINE,
    RULE,
    Caption,
    Drawing,
    legend_above,
    legend_columns,
    panels,
    styled,
    text_width,
)
from concept_transfer.reporting.looks import LEARNER_COLOURS, LEARNER_MARKERS

WIDTH, ROW, STEP = 3.0, 0.42, 0.14
MOST_COLUMNS = 2


@styled
def f1_by_type(evidence: ExtractionEvidence) -> Drawing:
    """A row a tagger, a panel a corpus and what is learned from; strict F1 by type and of all."""
    scores = evidence.scores[evidence.scores["mode"] == "strict"]
    taggers, groups = list(evidence.study.taggers), evidence.learned()
    types = [ALL_TYPES, *dict.fromkeys(t for t in scores["type"] if t != ALL_TYPES)]
    looks = {
        name: (LEARNER_COLOURS[i % len(LEARNER_COLOURS)], LEARNER_MARKERS[i % len(LEARNER_MARKERS)])
        for i, name in enumerate(types[1:])
    } | {ALL_TYPES: (INK, "D")}
    handles = [
        Line2D([], [], color=colour, marker=marker, lw=1.2, ms=5, label=name)
        for name, (colour, marker) in looks.items()
    ]
    left = 0.3 + text_width(taggers)
    columns = min(len(groups), MOST_COLUMNS)
    across = legend_columns(list(looks), left + columns * WIDTH)
    top = 0.45 + LEGEND_LINE * -(-len(looks) // across)
    figure, axes = panels(
        len(groups),
        columns,
        (WIDTH, max(len(taggers) * ROW, 0.8)),
        left=left,
        top=top,
        gap=(0.4, 0.75),
    )
    low = float(scores["f1_lower"].min())
    for place, ((corpus, train), axis) in enumerate(zip(groups, axes, strict=True)):
        own = evidence.group(scores, corpus, train)
        for number, tagger in enumerate(taggers):
            for row, kind in enumerate(types):
                one = own[(own["tagger"] == tagger) & (own["type"] == kind)].dropna(subset="f1")
                y = number + (row - (len(types) - 1) / 2) * min(STEP, 0.8 / len(types))
                colour, marker = looks[kind]
                axis.plot(one[["f1_lower", "f1_upper"]].T, [[y] * len(one)] * 2, color=colour, lw=1)
                axis.plot(
                    one["f1"], [y] * len(one), color=colour, marker=marker, ms=4.5, clip_on=False
                )
        axis.set_title(evidence.place(corpus, train))
        axis.set_ylim(len(taggers) - 0.5, -0.5)
        axis.set_yticks(range(len(taggers)), taggers)
        axis.tick_params(axis="y", labelleft=place % columns == 0, length=0)
        axis.set_xlim(max(low - 0.03, 0) if low == low else 0, 1)
        axis.grid(axis="x", color=RULE, lw=0.6)
        axis.set_axisbelow(True)
        axis.set_xlabel("strict F1 of spans")
    legend_above(figure, handles, 0.1, across)
    caption = Caption(
        "f1_by_type",
        "scores",
        "Strict F1 by tagger and type",
        f"Points: F1 of spans whose words and type are right; lines: "
        f"{100 * evidence.study.evaluation.confidence:g} % intervals.",
        f"Dots with intervals of the F1 of {len(taggers)} taggers, by type of mention.",
    )
    columns_of = ["corpus", "train", "tagger", "type", "f1", "f1_lower", "f1_upper"]
    return Drawing(caption, figure, scores[columns_of].reset_index(drop=True))
