"""Meaning is what beats shuffled, random and one-hot vectors of one length, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.comparison.meaning import (
    ABSENT,
    NOT_OVER,
    NOT_OVER_SHUFFLED,
    OTHER_LENGTH,
    UNTESTED,
)
from concept_transfer.comparison.permutations import is_small
from concept_transfer.reporting.answers.phrases import (
    UNDERPOWERED,
    Row,
    direction,
    signed,
    used,
)
from concept_transfer.study import Study

QUESTION = "Does it matter what the vectors mean?"
REASONS = {
    UNTESTED: "not tested: too few test encounters, or no estimate",
    NOT_OVER_SHUFFLED: "not shown over its own shuffled vectors",
    ABSENT: "no {rival} vectors in the study",
    OTHER_LENGTH: "{rival} has rows of another length",
    NOT_OVER: "not shown over {rival}",
}
KINDS = {"one_hot": "one-hot"}


def labelled(study: Study, row: Row) -> Row:
    return {**row, "missing": "; ".join(_reason(*missing) for missing in row.get("missing", ()))}


def _reason(reason: str, rival: str) -> str:
    named = KINDS.get(rival, rival) if reason == ABSENT else rival
    return REASONS[reason].format(rival=named)


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    if not rows:
        return [
            "The study cannot tell: beside its shuffled control an embedding needs a random one "
            "(provider random, like: its name), and a strategy that starts from a source."
        ]
    tested = [row for row in rows if "shuffles" in row]
    if not tested:
        return [UNDERPOWERED]
    kind = (
        "A case counts only if the embedding beats its own vectors on permuted concepts, random "
        "vectors and one-hot findings, all of one length."
    )
    return [_opening(study, tested), kind, *map(_numbers, tested)]


def _opening(study: Study, tested: Sequence[Row]) -> str:
    shown = [row for row in tested if row["shown"]]
    smallest = 1 / (tested[0]["shuffles"] + 1)
    if not is_small(smallest, study.evaluation.confidence):
        return (
            f"This study cannot show it: with {tested[0]['shuffles']} shuffles no p value can be "
            f"below {smallest:.2g}."
        )
    if shown:
        cases = "; ".join(map(_case, shown))
        return f"Yes, in {len(shown)} of {len(tested)} tested cases: {cases}."
    return f"Not shown in any of {len(tested)} tested cases."


def _case(row: Row) -> str:
    return f"{row['embedding']} {used(row['strategy'], row['size'])}, {direction(row)}"


def _numbers(row: Row) -> str:
    against = [
        f"{row[rival]} {signed(row[f'{rival}_difference'])}, {row[f'{rival}_verdict']}"
        for rival in ("random", "one_hot")
        if f"{rival}_difference" in row
    ]
    over = f"; over {' and '.join(against)}" if against else ""
    return (
        f"{_case(row)}: AUROC {row['auroc']:.3f}, permuted {row['shuffled_lowest']:.3f} to "
        f"{row['shuffled_highest']:.3f} (p {row['p_max_t']:.2g}){over}."
    )
