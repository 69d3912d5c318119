"""How many of the stated claims survive, the verdict on each, and the effects that decide."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.comparison.claims import NO_WORSE
from concept_transfer.reporting.answers.phrases import Row, direction, effect, labels
from concept_transfer.reporting.suppression import COMPLEMENT
from concept_transfer.reporting.words import listing
from concept_transfer.study import Study

QUESTION = "Which of the stated claims survive?"
BORNE_OUT = ("better", NO_WORSE)
UNTESTED = {
    "underpowered": "too few test encounters of the rarer class",
    "not estimable": "no model to compare",
    COMPLEMENT: "suppressed, because it would tell how few encounters there are",
}


def labelled(study: Study, row: Row) -> Row:
    sides = {name: " ".join(row[name].values()) for name in ("a", "b")}
    granted = {"margin": row.get("margin") or None}
    return {**row, **sides, **granted}


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    verdicts, details = [], []
    whole, part = 0, 0
    claims = dict.fromkeys(row["claim"] for row in rows)
    for claim in claims:
        tests = [row for row in rows if row["claim"] == claim]
        conditions = dict.fromkeys(row["under"] for row in tests)
        borne_out = [under for under in conditions if _is_borne_out(tests, under)]
        words = "Does not survive" if _is_refuted(tests) else "Is not shown"
        if len(borne_out) == len(conditions):
            whole, words = whole + 1, "Survives"
        elif borne_out:
            part, words = part + 1, f"Holds only {listing(borne_out)}"
        told = f"“{claim.rstrip('.')}”"
        verdicts.append(f"{words}: {told}.")
        details.append(f"{told}: {'; '.join(_test(study, row) for row in tests)}.")
    opening = (
        f"Stated claims that survive under all conditions tested: {whole} of {len(claims)}; under "
        f"some: {part}; under none: {len(claims) - whole - part}."
    )
    return [opening, *verdicts, " ".join(["The effects behind this.", *details])]


def _is_borne_out(tests: Sequence[Row], under: str) -> bool:
    return all(row["verdict"] in BORNE_OUT for row in tests if row["under"] == under)


def _is_refuted(tests: Sequence[Row]) -> bool:
    return any(row["verdict"] == "worse" for row in tests)


def _test(study: Study, row: Row) -> str:
    place = f"{row['under']} ({direction(row)}, {labels(row['size'])})"
    margin = f", where {row['margin']:g} less was granted" if row.get("margin") else ""
    return f"{place}, {UNTESTED.get(row['verdict']) or effect(study, row)}{margin}"
