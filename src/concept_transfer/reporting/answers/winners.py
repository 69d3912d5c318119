"""Which strategy is the best, in a sentence a direction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from concept_transfer.reporting.answers.phrases import (
    UNDERPOWERED,
    Row,
    direction,
    is_shown,
    labels,
    model_of,
)
from concept_transfer.study import Study

QUESTION = "Which strategy is the best, with how many labels, and how sure is that?"
SURE = 0.9


def labelled(study: Study, row: Row) -> Row:
    return {**row, **({"model": model_of(study, row["model"])} if "model" in row else {})}


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    shown = [row for row in rows if is_shown(row) and not row["flag"]]
    told = [_sentence(place, list(of)) for place, of in groupby(shown, key=direction)]
    return told or [UNDERPOWERED]


def _sentence(place: str, rows: Sequence[Row]) -> str:
    parts = [
        f"{_named(max(of_size, key=_probability))} with {labels(size)}"
        for size, group in groupby(rows, key=lambda row: str(row["size"]))
        if (of_size := list(group))
    ]
    return f"{place}: {'; '.join(parts)}."


def _named(row: Row) -> str:
    share = f"{100 * row['probability']:.0f} %"
    said = f"{row['strategy']} ({share} of draws)"
    return said if row["probability"] >= SURE else f"perhaps {said}"


def _probability(row: Row) -> float:
    return float(row["probability"])
