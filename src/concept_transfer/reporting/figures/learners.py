"""The headline: AUROC of every learner over the number of labels, by what validation chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from concept_transfer.cell import NO_EMBEDDING
from concept_transfer.reporting.answers.phrases import Row
from concept_transfer.reporting.figures.canvas import (
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
from concept_transfer.reporting.looks import Look, learner_looks, learner_title
from concept_transfer.reporting.rows import direction_label, direction_stem, level, size_rank
from concept_transfer.study import Study

WIDTH, HEIGHT = 6.6, 3.1  # of the panel, inches
NAMES = 0.34  # of a learner's chosen models below
SMALL = 7.5  # points


@styled
def learners(
    rows: Sequence[Row],
    study: Study,
    source: str,
    target: str,
    ceiling: Mapping[str, float] | None = None,
) -> Drawing | None:
    """A line a learner for one direction, and below each size the model that stands for it.

    ``rows``: as of `comparison.learners`. A strategy without label and source is a hollow point.
    ``ceiling``: the target's Bayes-optimal AUROC. None where nothing is known of two learners.
    """
    shown = _table(rows, study, source, target)
    looks = learner_looks(study)
    series = sorted(
        set(zip(shown["learner"], shown["apart"], strict=True)),
        key=lambda one: (list(looks).index(one[0]), one[1]),
    )
    sizes = sorted(set(shown["size"]), key=size_rank)
    if len(set(shown["learner"])) < 2 or len(sizes) < 2:
        return None
    handles = [_handle(study, looks[name], name, apart) for name, apart in series]
    named = [name for name, apart in series if not apart and name in study.classifiers]
    labels = [str(handle.get_label()) for handle in handles]
    title = direction_label(source, target)
    left = max(0.65, 0.3 + text_width([learner_title(study, name) for name in named], SMALL))
    indent = 0.4 + text_width([title], 11)
    across = legend_columns(labels, left + WIDTH - indent)
    top = 0.2 + LEGEND_LINE * -(-len(labels) // across)
    bottom = 0.5 + NAMES * len(named)
    right = text_width([CEILING], 8) + 0.12 if ceiling else 0.15
    width, height = left + WIDTH + right, top + HEIGHT + bottom
    figure = Figure(figsize=(width, height))
    axis = figure.add_axes((left / width, bottom / height, WIDTH / width, HEIGHT / height))
    step = 0.36 / max(len(series) - 1, 4)
    for order, (name, apart) in enumerate(series):
        own = shown[(shown["learner"] == name) & (shown["apart"] == apart)]
        x = own["size"].map(sizes.index).to_numpy(float) + (order - (len(series) - 1) / 2) * step
        _draw(axis, own, x, looks[name], hollow=bool(apart))
    low, high = extent(shown)
    high = max(high, ceiling["estimate"]) if ceiling else high
    room = 0.04 * (high - low) or 0.01
    axis.set(xlim=(-0.5, len(sizes) - 0.5), ylim=(low - room, high + room), ylabel="AUROC")
    axis.set_xticks(range(len(sizes)), ["none" if size == "0" else size for size in sizes])
    axis.set_xlabel("labels of the target")
    axis.yaxis.grid(True, color=RULE, lw=0.6)
    axis.set_axisbelow(True)
    if ceiling:
        ceiling_line(axis, ceiling["estimate"], outside=True)
    for place, name in enumerate(named):
        own = shown[(shown["learner"] == name) & (shown["apart"] == "")]
        _name(axis, own, sizes, place, learner_title(study, name), looks[name].colour)
    figure.text(0.1 / width, 1 - 0.08 / height, title, weight="bold", size=10.5, va="top")
    legend_above(figure, handles, indent, columns=across)
    names = ["learner", "embedding", "strategy", "size", "estimate", "lower", "upper"]
    data = shown[[*names, "chosen_of", "flag"]].reset_index(drop=True)
    return Drawing(_caption(shown, study, source, target, ceiling), figure, data)


def _table(rows: Sequence[Row], study: Study, source: str, target: str) -> pd.DataFrame:
    """The rows of a direction: learner, and the strategy that stands ``apart`` from its line."""
    combining = study.combining_strategies()
    kept = [
        {
            **{name: row[name] for name in ("embedding", "strategy", "size", "flag", "chosen_of")},
            "learner": row["strategy"] if row["strategy"] in combining else row["classifier"],
            "apart": row["strategy"]
            if row["size"] == "0" and not study.strategy(row["strategy"]).has_source
            else "",
            "estimate": row["auroc"],
            "lower": row["auroc_lower"],
            "upper": row["auroc_upper"],
        }
        for row in rows
        if (row["source"], row["target"]) == (source, target)
    ]
    columns = ["embedding", "strategy", "size", "flag", "chosen_of", "learner", "apart"]
    return pd.DataFrame(kept, columns=[*columns, "estimate", "lower", "upper"])


def _handle(study: Study, look: Look, name: str, apart: str) -> Line2D:
    if apart:
        label, face, line = f"{learner_title(study, name)}, {apart}", "white", ""
    else:
        label, face, line = learner_title(study, name), look.colour, "-"
    return Line2D(
        [],
        [],
        color=look.colour,
        marker=look.marker,
        mfc=face,
        ms=4.5,
        lw=1.5,
        ls=line,
        label=label,
    )


def _draw(axis: Axes, own: pd.DataFrame, x: Sequence[float], look: Look, hollow: bool) -> None:
    axis.vlines(x, own["lower"], own["upper"], color=look.colour, lw=1.1, zorder=2)
    axis.plot(
        x,
        own["estimate"],
        color=look.colour,
        marker=look.marker,
        mfc="white" if hollow else look.colour,
        ms=4.5,
        lw=1.3,
        zorder=3,
    )


def _name(
    axis: Axes, own: pd.DataFrame, sizes: list[str], place: int, title: str, colour: str
) -> None:
    """A learner's line of names: what stands for it at each size, embedding above strategy."""
    y = -(0.5 + NAMES * (place + 0.5)) / HEIGHT
    beside = axis.transAxes
    axis.text(-0.02, y, title, transform=beside, ha="right", va="center", size=SMALL, color=colour)
    room = WIDTH / len(sizes) * 0.95
    for size, embedding, strategy in own[["size", "embedding", "strategy"]].itertuples(index=False):
        lines = [strategy] if embedding == NO_EMBEDDING else [embedding, strategy]
        axis.text(
            sizes.index(size),
            y,
            "\n".join(lines),
            transform=axis.get_xaxis_transform(),
            ha="center",
            va="center",
            size=min(SMALL, SMALL * room / text_width(lines, SMALL)),
            color=MUTED,
            linespacing=1.05,
        )


def _caption(
    shown: pd.DataFrame,
    study: Study,
    source: str,
    target: str,
    ceiling: Mapping[str, float] | None,
) -> Caption:
    where = direction_label(source, target)
    last = sorted(set(shown["size"]), key=size_rank)[-1]
    at_last = shown[shown["size"] == last]
    reached = "; ".join(
        f"{learner_title(study, name)} {value:.3f}"
        for name, value in zip(at_last["learner"], at_last["estimate"], strict=True)
    )
    hollow = (
        " Hollow points are models that used no label anywhere; nothing could choose among them, "
        "so the first of the config stands for each strategy."
        if (shown["apart"] != "").any()
        else ""
    )
    return Caption(
        stem=f"learners_{direction_stem(source, target)}",
        section="learning curves",
        title=f"Every learner, with how many labels, {where}",
        text=f"AUROC on {target} with {level(study)} intervals. What stands for a learner at a "
        "size is the model that mean AUROC on validation labels chooses among its embeddings and "
        "strategies (without labels, the AUROC at the source); it is named below, and test "
        f"encounters chose nothing.{hollow}{ceiling_words(ceiling)}",
        alt=f"AUROC of {len(set(shown['learner']))} learners for {where} by number of target "
        f"labels; at {last} labels {reached}.",
    )
