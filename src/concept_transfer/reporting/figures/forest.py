"""Forest plot of paired comparisons: differences with intervals, one family a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from concept_transfer.cell import NO_EMBEDDING, Cell
from concept_transfer.comparison.contrasts import BEST_LOCAL, SHUFFLED
from concept_transfer.reporting.figures.canvas import Caption, Drawing
from concept_transfer.reporting.figures.dots import draw_dots
from concept_transfer.reporting.looks import model_label
from concept_transfer.reporting.rows import (
    arrange,
    in_direction,
    records,
    rows_of,
    size_label,
    size_rank,
)
from concept_transfer.reporting.sides import apart
from concept_transfer.study import Study

SIGNIFICANT = ("better", "worse", "equivalent")
DATA = [
    *("family", "target", "source", "embedding", "classifier", "strategy", "size", "a", "b"),
    *("metric", "difference", "lower", "upper", "lower_holm", "upper_holm"),
    *("p", "p_holm", "verdict"),
]


def forest(
    comparisons: pd.DataFrame,
    study: Study,
    family: str,
    size: str,
    pairs: Sequence[tuple[str, str]],
    stem: str,
    place: str = "",
) -> Drawing | None:
    """AUROC differences of one family at one target size (and without labels).

    ``comparisons`` is the table of `concept_transfer.reporting.sides.labelled`; filled
    markers are differences that remain significant after Holm's correction. ``place``
    ends the title. None where the family has nothing to show for ``pairs``.
    """
    shown = comparisons[
        (comparisons["family"] == family)
        & (comparisons["metric"] == "auroc")
        & comparisons["size"].isin(["0", size])
    ]
    shown = pd.concat([in_direction(shown, *pair) for pair in pairs]).drop_duplicates()
    if shown["difference"].isna().all():
        return None
    shown = arrange(shown, study)
    labels = [_row_and_look(row, study) for row in records(shown)]
    cells = shown.assign(
        row=[row for row, _ in labels],
        strategy=[look for _, look in labels],
        estimate=shown["difference"],
        lower=shown["lower_holm"].fillna(shown["lower"]),
        upper=shown["upper_holm"].fillna(shown["upper"]),
        solid=shown["verdict"].isin(SIGNIFICANT),
    )
    rows = rows_of(cells)
    lines = {target: {"no difference": 0.0} for target in study.sites}
    caption = _caption(shown, family, size_label(size) + place, stem)
    references = set(shown["b"]) if (shown["strategy"] == "").all() else set()
    than = f" from {references.pop()}" if len(references) == 1 else ""
    label = f"difference in AUROC{than}"
    return draw_dots(cells, rows, study, pairs, caption, label, lines, shown[DATA])


def forest_sizes(comparisons: pd.DataFrame, family: str) -> list[str]:
    """The largest and the smallest target size that a family has comparisons for."""
    shown = comparisons[(comparisons["family"] == family) & ~comparisons["size"].isin(["0", ""])]
    sizes = sorted(set(shown["size"]), key=size_rank)
    return list(dict.fromkeys([*sizes[-1:], *sizes[:1]])) or ["0"]


def _row_and_look(comparison: dict[str, Any], study: Study) -> tuple[str, str]:
    """The row's label, and the strategy whose colour it takes."""
    a, b = comparison["a_cells"], comparison["b_cells"]
    (first, *second), fields = a, apart(a, b)
    if comparison["family"] == BEST_LOCAL or fields == ["strategy"]:
        return model_label(study, first.embedding, first.classifier), first.strategy
    if second:
        return f"{first.embedding} − {second[0].embedding}", first.strategy
    sides = [_side(cell, "classifier" in fields, study) for cell in (first, b[0])]
    return " − ".join(sides), first.strategy


def _side(cell: Cell, among_classifiers: bool, study: Study) -> str:
    is_chosen = among_classifiers and study.split.by != "folds"  # see the family's question
    if is_chosen and cell.embedding != NO_EMBEDDING:
        return "chosen network"
    return model_label(study, cell.embedding, cell.classifier)


def _caption(shown: pd.DataFrame, family: str, where: str, stem: str) -> Caption:
    verdicts = shown["verdict"].value_counts()
    counts = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items())
    question = shown["question"].iloc[0]
    how = (
        "Filled markers: the embedding's AUROC stands out among those of its vectors on permuted "
        "concepts; hollow ones: it does not, or the cell was not tested. Intervals are those of "
        "the difference from the mean shuffled control, each by itself."
        if family == SHUFFLED
        else "Filled markers remain significant after Holm's correction within the family, and "
        "intervals have the level at which it judged them; hollow ones do not, or could not be "
        "tested (the table says why)."
    )
    return Caption(
        stem,
        "comparisons",
        f"{question} ({where})",
        f"Family '{family}': differences in AUROC; right of the line the first side is better. "
        f"{how}",
        f"Forest plot of {len(shown)} differences in AUROC, family {family}: {counts}.",
    )
