"""Figures on how different sites are: loss over distance, and the findings that differ."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from concept_transfer.reporting.figures.canvas import (
    INK,
    MUTED,
    RULE,
    Caption,
    Drawing,
    legend_above,
    panels,
    styled,
    text_width,
)
from concept_transfer.reporting.figures.heatmap import BLUES
from concept_transfer.reporting.looks import Look
from concept_transfer.reporting.rows import arrange, direction_label, records
from concept_transfer.reporting.shift_tables import differing_findings, unordered
from concept_transfer.study import Study

GROUP_LOOKS = {
    "pretrained": Look("#0072B2", "o"),
    "control": Look("#D55E00", "s"),
    "simple model": Look("#000000", "^"),
}
GROUP_WORDS = {"control": "one-hot embedding", "pretrained": "pretrained embedding"}
PANELS = {
    "js_sum": "Findings: Jensen-Shannon, bits",
    "kl_target_source_sum": "Findings: KL(target ‖ source), bits",
    "js_recording_sum": "Recording: Jensen-Shannon, bits",
}
FINDINGS = 24
NAMED_DIRECTIONS = 4


@styled
def shift_against_loss(loss: pd.DataFrame, study: Study) -> Drawing:
    """AUROC lost without tuning over the distance between the sites, a panel a distance."""
    models = arrange(loss.assign(strategy="direct", size="0"), study)
    models = models.dropna(subset=["loss"])
    figure, axes = panels(len(PANELS), 3, (2.45, 2.3), left=0.8, top=0.72, gap=(0.3, 0.6))
    groups = {name: look for name, look in GROUP_LOOKS.items() if name in set(models["group"])}
    low, high = min(0, models["lower"].min()), max(0, models["upper"].max())
    room = 0.06 * (high - low) or 0.01
    for index, ((measure, words), axis) in enumerate(zip(PANELS.items(), axes, strict=True)):
        _scatter(axis, models, measure, groups)
        axis.axhline(0, color=MUTED, lw=0.8)
        axis.yaxis.grid(True, color=RULE, lw=0.6)
        axis.set_axisbelow(True)
        axis.set(ylim=(low - room, high + room), xlabel=words)
        reach = max(models[measure].max(), 0.01)
        axis.set_xlim(-0.05 * reach, 1.15 * reach)
        axis.locator_params(axis="x", nbins=5)
        if index:
            axis.tick_params(axis="y", labelleft=False)
        else:
            axis.set_ylabel("AUROC lost without tuning")
    handles = [
        Line2D(
            [], [], color=look.colour, marker=look.marker, ls="", ms=5.5,
            label=GROUP_WORDS.get(name, name),
        )
        for name, look in groups.items()
    ]  # fmt: skip
    legend_above(figure, handles, 0.55, columns=len(handles))
    if len(study.measured_pairs()) <= NAMED_DIRECTIONS:
        _name_directions(axes[1], models, "kl_target_source_sum")
    data = models[
        ["source", "target", "row", "group", "loss", "lower", "upper", "verdict", *PANELS]
    ]
    return Drawing(_loss_caption(models), figure, data.reset_index(drop=True))


def _scatter(axis: Axes, models: pd.DataFrame, measure: str, groups: dict[str, Look]) -> None:
    for place, (group, look) in enumerate(groups.items()):
        losses = models[models["group"] == group]
        nudge = (place - (len(groups) - 1) / 2) * 0.02 * max(models[measure].max(), 0.01)
        x = losses[measure] + nudge
        axis.vlines(
            x, losses["lower"], losses["upper"], color=look.colour, lw=0.8, alpha=0.45, zorder=2
        )
        axis.scatter(
            x,
            losses["loss"],
            s=20,
            marker=look.marker,
            color=look.colour,
            lw=0,
            alpha=0.85,
            zorder=3,
        )


def _name_directions(axis: Axes, models: pd.DataFrame, measure: str) -> None:
    directions = models.groupby(["source", "target"], sort=False)
    for number, ((source, target), losses) in enumerate(directions):
        place, limit = losses[measure].iloc[0], axis.get_xlim()[1]
        axis.annotate(
            direction_label(str(source), str(target)),
            (place, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 1 + 10 * (number % 2)),
            textcoords="offset points",
            ha="right" if place > 0.9 * limit else "left" if place < 0.2 * limit else "center",
            va="bottom",
            size=8,
            color=INK,
        )


def _loss_caption(models: pd.DataFrame) -> Caption:
    nearest, farthest = (
        models.loc[models["js_sum"] == getattr(models["js_sum"], end)()] for end in ("min", "max")
    )
    alt = (
        f"AUROC lost by {models['row'].nunique()} models over the distance of "
        f"{len(models[['source', 'target']].drop_duplicates())} directions: mean loss "
        f"{nearest['loss'].mean():.3f} at the smallest distance and {farthest['loss'].mean():.3f} "
        "at the largest."
    )
    return Caption(
        stem="shift-loss",
        section="site shift",
        title="Distance between sites and what transfer costs",
        text="How much AUROC a source model used unchanged loses against a model trained on all "
        "labels of the target, over three distances between the sites; a column of points is one "
        "direction, lines are intervals. Points that rise to the right mean that distance "
        "foretells loss; colours that separate at one distance mean that some kinds of model "
        "stand the same shift better. Below the line the source model is the better one.",
        alt=alt,
    )


@styled
def finding_shift(findings: pd.DataFrame, study: Study) -> Drawing:
    """Heat map of the findings that differ most, a column for each two sites."""
    ranked = differing_findings(findings, study)
    pairs = unordered(study)
    top = ranked.groupby("concept")["js"].max().nlargest(FINDINGS).index
    names = ranked.drop_duplicates("concept").set_index("concept")["name"]
    margin = 0.3 + text_width([names[concept] for concept in top])
    labels = [f"{a}, {b}" for a, b in pairs]
    head = 0.35 + 0.75 * text_width(labels, 9)
    size = (0.95 * len(pairs), 0.24 * len(top))
    figure, (axis,) = panels(1, 1, size, left=margin, top=head, gap=(0, 0), bottom=0.15, right=0.9)
    axis.set(xlim=(0, len(pairs)), ylim=(len(top), 0))
    axis.set_axis_off()
    shown = ranked[ranked["concept"].isin(top)]
    largest = max(shown["js"].max(), shown["js_recording"].max()) or 1
    for cell in records(shown):
        x = pairs.index((cell["source"], cell["target"]))
        y = list(top).index(cell["concept"])
        for part, measure in enumerate(("js", "js_recording")):
            depth = (cell[measure] / largest) ** 0.5
            left = x + 0.02 + 0.48 * part
            axis.add_patch(Rectangle((left, y), 0.47, 1, facecolor=BLUES(depth), edgecolor="white"))
            axis.text(
                left + 0.235,
                y + 0.52,
                f"{1000 * cell[measure]:.0f}",
                ha="center",
                va="center",
                size=8,
                color=INK if depth < 0.6 else "white",
            )
    for y, concept in enumerate(top):
        axis.text(-0.06, y + 0.5, names[concept], ha="right", va="center")
    for x, label in enumerate(labels):
        for part, words in enumerate(("all", "rec.")):
            axis.text(
                x + 0.255 + 0.48 * part, -0.1, words, ha="center", va="bottom", size=8, color=MUTED
            )
        axis.text(x + 0.3, -1.0, label, rotation=40, ha="left", va="bottom", size=9)
    return Drawing(_finding_caption(shown, names, top), figure, shown.reset_index(drop=True))


def _finding_caption(shown: pd.DataFrame, names: pd.Series, top: pd.Index) -> Caption:
    recording = (shown["js_recording"] / shown["js"]).median()
    return Caption(
        stem="shift-findings",
        section="site shift",
        title="Findings that differ most between sites",
        text="Jensen-Shannon divergence in thousandths of a bit (0 alike, 1000 nothing in common) "
        "of what is written about a concept (all) and of whether anything is written about it "
        "(rec.). Where both are alike the sites differ in what they record; where only the first "
        "is large they differ in what their patients have. Concepts rare at either site are left "
        "out.",
        alt=f"Heat map of the {len(top)} concepts with the largest divergence; the largest is "
        f"{shown['js'].max():.3f} bits ({names[top[0]]}), and recording alone makes up "
        f"{100 * recording:.0f} % of it in the median.",
    )
