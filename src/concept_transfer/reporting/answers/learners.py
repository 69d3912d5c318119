"""How good each learner is with so many labels, in a sentence a direction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from concept_transfer.cell import ALL_MODELS, NO_EMBEDDING
from concept_transfer.reporting.answers.phrases import (
    UNDERPOWERED,
    Row,
    direction,
    is_shown,
    labels,
)
from concept_transfer.reporting.looks import learner_title
from concept_transfer.reporting.words import site_words
from concept_transfer.study import Study

QUESTION = "How good is each learner, with how many labels?"


def labelled(study: Study, row: Row) -> Row:
    """``learner``, and as ``chosen`` the model that stands for it."""
    combined = row["classifier"] == ALL_MODELS
    title = row["strategy"] if combined else learner_title(study, row["classifier"])
    of = "" if row["embedding"] == NO_EMBEDDING else f"{row['embedding']} "
    numbers = {name: row[name] for name in row if name not in ("embedding", "classifier")}
    return {
        **numbers,
        "source": site_words(row["source"]),
        "learner": title,
        "strategy": f"{of}{row['strategy']}",
    }


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    shown = [row for row in rows if is_shown(row) and not row["flag"]]
    told = [
        f"{place} with {labels(size)}: {'; '.join(map(_said, group))}."
        for (place, size), group in groupby(shown, key=lambda row: (direction(row), row["size"]))
    ]
    return told or [UNDERPOWERED]


def _said(row: Row) -> str:
    name = row["learner"] if row["learner"] == row["strategy"] else _named(row)
    return f"{name} {row['auroc']:.3f} [{row['auroc_lower']:.3f}, {row['auroc_upper']:.3f}]"


def _named(row: Row) -> str:
    return f"{row['learner']} ({row['strategy']})"
