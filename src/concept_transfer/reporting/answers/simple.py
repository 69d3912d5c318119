"""Whether a simple model wins: counts and range first, then every case in which one side wins."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.cell import NO_EMBEDDING
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

QUESTION = "Does a simple model win?"
NETWORK = "network"
DECIDED = ("better", "worse", "equivalent")


def labelled(study: Study, row: Row) -> Row:
    """``a`` is the network (by its title, where there are several), ``b`` the simple model; their
    strategies are ``strategy`` and ``rival``."""
    numbers = {name: row[name] for name in row if name not in ("family", "a", "b", "both")}
    return {
        "family": row["family"],
        "a": _network(study, row["a"]),
        "b": row["b"]["classifier"],
        "strategy": row["a"]["strategy"],
        "rival": row["b"]["strategy"],
        **with_directions(numbers),
    }


def _network(study: Study, side: dict[str, str]) -> str:
    """The network of a study that has one, else its title."""
    several = len([c for c in study.classifiers if c not in study.taking(NO_EMBEDDING)]) > 1
    return learner_title(study, side["classifier"]) if several else NETWORK


def _the(network: str) -> str:
    return f"the {network}" if network == NETWORK else network


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    rows = list(filter(is_shown, rows))
    if not rows:
        return [UNDERPOWERED]

    def where(row: Row) -> str:
        return f"{used(row['strategy'], row['size'])} against {_simple(study, row)}"

    return [
        f"{_opening(rows)}{undecided(rows)}; network less simple model: {extremes(rows, where)}.",
        *(
            f"{used(row['strategy'], row['size'])}: "
            f"{effect(study, row, _the(row['a']), _simple(study, row))}."
            for row in rows
            if row["verdict"] in DECIDED
        ),
    ]


def _opening(rows: Sequence[Row]) -> str:
    simple, network = of_verdict(rows, "worse"), of_verdict(rows, "better")
    if simple:
        opening = f"A simple model wins in {len(simple)} of {len(rows)} combinations of "
    elif network:
        opening = f"No simple model is shown to win in {len(rows)} combinations of "
    else:
        opening = f"Neither is shown to win in {len(rows)} combinations of "
    opening += "strategy, target size and simple model"
    return opening + (f", the network in {len(network)}" if network else "")


def _simple(study: Study, row: Row) -> str:
    """The simple model, and its strategy where that is another than the network's."""
    other = f" ({row['rival']})" if row["rival"] != row["strategy"] else ""
    return f"{learner_title(study, row['b'])}{other}"
