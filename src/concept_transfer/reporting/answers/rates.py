"""What scale and learning rate do by themselves."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.reporting.answers.phrases import (
    UNDERPOWERED,
    Row,
    effect,
    is_shown,
    labels,
    model_of,
    undecided,
    with_directions,
)
from concept_transfer.settings.training import several
from concept_transfer.study import Study

QUESTION = "What do scale and learning rate do by themselves?"
MOST = 5


def labelled(study: Study, row: Row) -> Row:
    """The sides by what tells them apart, and ``at`` what they share."""
    numbers = {name: row[name] for name in row if name not in ("family", "a", "b", "both")}
    return {
        "family": row["family"],
        "a": " ".join(row["a"].values()),
        "b": " ".join(row["b"].values()),
        "at": _shared(study, row["both"]),
        **with_directions(numbers),
    }


def _shared(study: Study, both: dict[str, str]) -> str:
    if "embedding" in both:
        return model_of(study, both)
    return both.get("strategy", "both")


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    rows = list(filter(is_shown, rows))
    if not rows:
        return [UNDERPOWERED]
    shown = [row for row in rows if row["verdict"] in ("better", "worse")]
    largest = sorted(shown, key=lambda row: -abs(row["difference"]))[:MOST]
    return [
        f"{len(shown)} of {len(rows)} effects of scale, learning rate or both are shown"
        f"{undecided(rows)}.",
        *_of_norm(study),
        *(f"{effect(study, row)} (at {row['at']}, {labels(row['size'])})." for row in largest),
    ]


def _of_norm(study: Study) -> list[str]:
    """Whether scale means anything to a learner that brings vectors to a norm of its own."""
    norms = [f"{norm:g}" for norm in several(study.training.norm) if norm]
    heeded = any("norm" in study.learner(name).training for name in study.classifiers)
    if not norms or not heeded:
        return []
    return [
        f"Networks train on vectors brought to a mean norm of {' or '.join(norms)} "
        "(training.norm), so that the scale of an embedding changes little."
    ]
