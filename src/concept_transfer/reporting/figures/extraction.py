"""Figures on findings read from notes: which are missed or wrong, and what that costs."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from concept_transfer.reporting.extraction_tables import (
    ALL,
    accuracy_words,
    shown_findings,
)
from concept_transfer.reporting.figures.canvas import (
    BAND,
    RULE,
    Caption,
    Drawing,
    legend_above,
    panels,
    styled,
    text_width,
)
from concept_transfer.reporting.figures.dots import draw_dots
from concept_transfer.reporting.figures.forest import SIGNIFICANT
from concept_transfer.reporting.looks import Look
from concept_transfer.reporting.rows import arrange, in_direction, rows_of, size_label, size_rank
from concept_transfer.study import Study

LOWEST = 14  # findings that a panel names
LOOKS = {"recall": Look("#0072B2", "o"), "precision": Look("#D55E00", "s")}
OFFSET = 0.16


@styled
def missed_findings(extraction: pd.DataFrame, study: Study) -> Drawing:
    """Recall and precision of all findings and of those with the lowest recall, a panel a site."""
    shown = shown_findings(extraction, study)
    sites = list(dict.fromkeys(shown["site"]))
    parts = [shown[shown["site"] == site].head(1 + LOWEST) for site in sites]
    labels = [_labels(part) for part in parts]
    height = 0.24 * max(map(len, parts))
    left = 0.25 + max(text_width(names, 9) for names in labels)
    figure, axes = panels(
        len(sites), 2, (2.5, height), left, top=0.72, gap=(left + 0.1, 0.9), right=0.2
    )
    for site, part, names, axis in zip(sites, parts, labels, axes, strict=True):
        for place in range(0, len(part), 2):
            axis.axhspan(place - 0.5, place + 0.5, color=BAND, lw=0, zorder=0)
        for (measure, look), side in zip(LOOKS.items(), (-OFFSET, OFFSET), strict=True):
            y = [place + side for place in range(len(part))]
            lower, upper = part[f"{measure}_lower"], part[f"{measure}_upper"]
            axis.hlines(y, lower, upper, color=look.colour, lw=1.1, zorder=2)
            axis.scatter(
                part[measure], y, s=17, marker=look.marker, color=look.colour, lw=0, zorder=3
            )
        axis.set(xlim=(-0.02, 1.02), ylim=(len(part) - 0.5, -0.5), xlabel="share")
        axis.set_yticks(range(len(part)), names)
        axis.tick_params(axis="y", length=0)
        axis.xaxis.grid(True, color=RULE, lw=0.6)
        axis.set_axisbelow(True)
        axis.set_title(site)
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ls="", ms=5.5, label=name)
        for name, look in LOOKS.items()
    ]
    legend_above(figure, handles, left - 0.1, columns=len(handles))
    data = pd.concat(parts, ignore_index=True).drop(columns=["encounters", "right"])
    return Drawing(_missed_caption(shown), figure, data)


def _labels(part: pd.DataFrame) -> list[str]:
    return [
        ALL if not concept else name if state == "present" else f"{name}, {state}"
        for concept, name, state in part[["concept", "name", "state"]].to_numpy()
    ]


def _missed_caption(shown: pd.DataFrame) -> Caption:
    told = accuracy_words(shown)
    return Caption(
        stem="extraction",
        section="notes",
        title="What is missed, and what is wrong, in findings read from notes",
        text=f"All findings together ({told}), and the {LOWEST} of each site with the lowest "
        "recall, with intervals. A low recall: the hospital words the finding in a way that no "
        "name or synonym covers, or what is denied is not recognised as denied. A low precision: "
        "something else is taken for it.",
        alt=f"Dot plot of recall and precision of findings read from notes; of all, {told}.",
    )


def cost_sizes(cost: pd.DataFrame) -> list[str]:
    """The largest and the smallest target size."""
    sizes = sorted(set(cost["size"]) - {"0"}, key=size_rank)
    return list(dict.fromkeys([*sizes[-1:], *sizes[:1]])) or ["0"]


def reading_cost(cost: pd.DataFrame, study: Study, size: str) -> Drawing | None:
    """AUROC on findings read from notes less that on the findings themselves, a panel a
    direction; None where nothing is known."""
    chosen = cost[cost["size"].isin(["0", size])].dropna(subset=["difference"])
    if chosen.empty:
        return None
    pairs = [
        (source, target)
        for source, target in study.ordered_pairs()
        if target in set(chosen["target"]) and source in {*chosen["source"]}
    ]
    serving = pd.concat([in_direction(chosen, *pair) for pair in pairs]).drop_duplicates()
    cells = arrange(serving, study)
    cells = cells.assign(
        estimate=cells["difference"],
        lower=cells["lower_holm"].fillna(cells["lower"]),
        upper=cells["upper_holm"].fillna(cells["upper"]),
        solid=cells["verdict"].isin(SIGNIFICANT),
    )
    lines = {target: {"no cost": 0.0} for _, target in pairs}
    lost = cells[cells["verdict"] == "worse"]
    caption = Caption(
        stem=f"extraction-cost_{size}",
        section="notes",
        title=f"What reading findings from notes costs, {size_label(size)}",
        text="Difference in AUROC from the same model learned and tested on the true findings of "
        "the same encounters; left of the line, reading from notes costs. Filled markers remain "
        "significant after Holm's correction over all models, and intervals have the level at "
        "which it judged them.",
        alt=f"Dot plot of {len(cells)} differences in AUROC between "
        f"{cells['difference'].min():.3f} and {cells['difference'].max():.3f}; in "
        f"{len(lost)} reading from notes is worse.",
    )
    data = serving.drop(columns=["encounters", "positives"]).reset_index(drop=True)
    label = "difference in AUROC"
    return draw_dots(cells, rows_of(cells), study, pairs, caption, label, lines, data)
