"""What validation chooses, and the bracket that holds what the choice costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from concept_transfer.reporting.answers.phrases import (
    UNDERPOWERED,
    Row,
    is_shown,
    labels,
    model_of,
    signed,
)
from concept_transfer.study import Study

QUESTION = "What would validation data have chosen, and what does it cost?"


def labelled(study: Study, row: Row) -> Row:
    return {**row, **{name: _model(study, row[name]) for name in ("chosen", "best_in_hindsight")}}


def _model(study: Study, cell: Mapping[str, str]) -> str:
    """A cell among those of one target; "minilm full from north"."""
    origin = f" from {cell['source']}" if cell["source"] else ""
    return f"{model_of(study, cell)} {cell['strategy']}{origin}"


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    told = [_sentence(row) for row in rows if is_shown(row) and not row["flag"]]
    return told or [UNDERPOWERED]


def _sentence(row: Row) -> str:
    often = 2 * row["chosen_by"] > row["choices"]
    favourite = (
        f"mostly {row['chosen']} ({row['chosen_by']:.3g} of {row['choices']} choices)"
        if often
        else f"no model in more than half of its {row['choices']} choices"
    )
    return (
        f"On {row['target']} with {labels(row['size'])}, validation chooses {favourite}; its "
        f"choices reach AUROC {row['auroc_of_choices']:.3f} and cost between "
        f"{signed(row['regret'])} (cross-fitted, against what is best on other test patients) and "
        f"{signed(row['regret_naive'])} (against the best of {row['candidates']} on the same ones, "
        "which flatters hindsight)."
    )
