"""What it costs to know findings from notes: how right they are, and the AUROC that is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from concept_transfer.reporting.answers.phrases import (
    Row,
    direction,
    model_of,
    signed,
    undecided,
    used,
)
from concept_transfer.reporting.extraction_tables import accuracy_words
from concept_transfer.reporting.rows import records
from concept_transfer.study import Study

NAME = "extraction"
QUESTION = "What does it cost to read findings from notes?"
FEW = "The study cannot say what that costs: too few encounters test at both sites."


def rows(cost: pd.DataFrame, study: Study) -> list[Row]:
    """The comparisons as rows with labels for readers; those that tell too little are left out."""
    known = cost[~cost["verdict"].isin(["not estimable", "underpowered"])]
    if "suppressed" in known:
        known = known[~known["suppressed"]]
    chosen = ("size", "difference", "lower", "upper", "p_holm", "verdict")
    return [
        {
            "model": model_of(study, cell),
            "strategy": cell["strategy"],
            "direction": direction(cell),
            **{name: cell[name] for name in chosen},
        }
        for cell in records(known)
    ]


def sentences(extraction: pd.DataFrame, answers: Sequence[Row]) -> list[str]:
    accuracy = f"How right findings read from notes are: {accuracy_words(extraction)}."
    if not answers:
        return [FEW, accuracy]
    lost = [row for row in answers if row["verdict"] == "worse"]
    gained = [row for row in answers if row["verdict"] == "better"]
    also = f", and gains in {len(gained)}" if gained else ""
    low = min(answers, key=lambda row: row["difference"])
    high = max(answers, key=lambda row: row["difference"])
    shown = f"It costs AUROC in {len(lost)} of" if lost else "No cost in AUROC is shown in"
    return [
        f"{shown} {len(answers)} comparisons with the same model on the true findings of the same "
        f"encounters{also}{undecided(answers)}.",
        f"Differences run from {signed(low['difference'])} ({_where(low)}) to "
        f"{signed(high['difference'])} ({_where(high)}).",
        accuracy,
    ]


def _where(row: Row) -> str:
    return f"{row['model']}, {used(row['strategy'], row['size'])}, {row['direction']}"
