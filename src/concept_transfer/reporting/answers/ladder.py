"""What every step of the ladder gains: counts and range first, then the steps that are shown."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.reporting.answers.phrases import (
    UNDERPOWERED,
    Row,
    effect,
    extremes,
    is_shown,
    of_verdict,
    undecided,
    used,
    with_directions,
)
from concept_transfer.reporting.looks import learner_title
from concept_transfer.study import Study

QUESTION = "What does every step of the ladder gain?"
DECIDED = ("better", "worse")


def labelled(study: Study, row: Row) -> Row:
    """``a`` is the rung, ``b`` the one before it or the first; ``at`` whose they are."""
    numbers = {name: row[name] for name in row if name not in ("family", "a", "b", "both")}
    several = len(study.climbing_classifiers()) > 1
    title = learner_title(study, row["both"]["classifier"])
    return {
        "a": row["a"]["embedding"],
        "b": row["b"]["embedding"],
        "at": f"{title}, {row['both']['strategy']}" if several else row["both"]["strategy"],
        **with_directions(numbers),
    }


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    rows = list(filter(is_shown, rows))
    if not rows:
        return [UNDERPOWERED]
    below = dict(zip(study.ladder[1:], study.ladder, strict=False))
    steps = [row for row in rows if row["b"] == below[row["a"]]]
    whole = [row for row in rows if (row["b"], row["a"]) == (study.ladder[0], study.ladder[-1])]
    told = [_counts("Single steps", steps)]
    if len(study.ladder) > 2:
        told.append(_counts(f"The whole way from {study.ladder[0]} to {study.ladder[-1]}", whole))
    shown = [row for row in steps if row["verdict"] in DECIDED]
    return [*told, *(f"{_where(row)}: {effect(study, row)}." for row in shown)]


def _counts(what: str, rows: Sequence[Row]) -> str:
    gains, losses = of_verdict(rows, "better"), of_verdict(rows, "worse")
    return (
        f"{what}: {len(gains)} of {len(rows)} comparisons at one strategy and target size show a "
        f"gain, {len(losses)} a loss{undecided(rows)}; {extremes(rows, _step)}."
        if rows
        else f"{what}: nothing to compare."
    )


def _step(row: Row) -> str:
    return f"{row['a']} over {row['b']}, {_where(row)}"


def _where(row: Row) -> str:
    return used(row["at"], row["size"])
