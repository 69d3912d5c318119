"""Phrases that several answers share; what they claim follows from verdicts and intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from concept_transfer.cell import NO_EMBEDDING
from concept_transfer.comparison.claims import NO_WORSE
from concept_transfer.comparison.comparisons import PERMUTATION
from concept_transfer.reporting.looks import model_label
from concept_transfer.reporting.words import site_words
from concept_transfer.study import Study

Row = dict[str, Any]
UNDERPOWERED = (
    "The study cannot say: no such comparison rests on enough test encounters of the rarer class."
)
VERDICTS = {
    "better": "beats",
    NO_WORSE: "is no worse than",
    "worse": "loses to",
    "equivalent": "is equivalent to",
    "no evidence": "is not shown to differ from",
    "too few replicates": "has too few replicates for a verdict against",
    "not tested": "was not tested against",
    "not estimable": "could not be compared with",
}
UNDECIDED = {
    "mixed": "differ in sign between directions",
    "no evidence": "are undecided",
    "too few replicates": "have too few replicates for a verdict",
    "equivalent": "are equivalent",
    "not estimable": "could not be compared",
}


def is_shown(row: Row) -> bool:
    """Whether no number was taken from the row because it would tell a small count."""
    return not row.get("suppressed")


def of_verdict(rows: Sequence[Row], verdict: str) -> list[Row]:
    return [row for row in rows if row["verdict"] == verdict]


def model_of(study: Study, cell: Mapping[str, str]) -> str:
    """What tells models apart: the embedding (with the classifier, of all but its first), or the
    classifier of one without."""
    if cell["embedding"] == NO_EMBEDDING:
        return cell["classifier"]
    return model_label(study, cell["embedding"], cell["classifier"])


def direction(place: Mapping[str, str]) -> str:
    """``north → south``; a target alone by its name."""
    if not place["source"]:
        return place["target"]
    return f"{site_words(place['source'])} → {place['target']}"


def with_directions(row: Row) -> Row:
    """The row with the directions of its extremes as text."""
    places: Row = {n: direction(row[n]) for n in ("lowest_at", "highest_at") if n in row}
    return row | places


def labels(size: str) -> str:
    return {"all": "all target labels", "0": "no target labels"}.get(size, f"{size} target labels")


def used(strategy: str, size: str) -> str:
    return strategy if size == "0" else f"{strategy} with {labels(size)}"


def signed(value: float) -> str:
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def effect(study: Study, row: Row, a: str = "", b: str = "") -> str:
    """Verdict and difference of side ``a`` against side ``b``, whose labels may be replaced."""
    verdict = VERDICTS.get(row["verdict"], f"({row['verdict']})")
    return f"{a or row['a']} {verdict} {b or row['b']}: {_amount(study, row)}"


def _amount(study: Study, row: Row) -> str:
    """Signed difference and the interval that agrees with the verdict."""
    level = f"{100 * study.evaluation.confidence:g} %"
    if row["test"] == PERMUTATION:
        return (
            f"{signed(row['difference'])} AUROC over the mean of the permutations, of which the "
            f"middle {level} lie {signed(row['lower'])} to {signed(row['upper'])} away "
            f"(p {row['p_holm']:.2g})"
        )
    adjusted = not math.isnan(row["lower_holm"])
    names = ("lower_holm", "upper_holm") if adjusted else ("lower", "upper")
    low, high = (signed(row[name]) for name in names)
    words = "interval, adjusted for all comparisons," if adjusted else "interval"
    return f"{signed(row['difference'])} AUROC ({level} {words} {low} to {high})"


def extremes(rows: Sequence[Row], where: Callable[[Row], str]) -> str:
    """The lowest and the highest difference of all rows, each with its place."""
    low = min(rows, key=lambda row: row["lowest"])
    high = max(rows, key=lambda row: row["highest"])
    return (
        f"single differences run from {signed(low['lowest'])} ({where(low)}, "
        f"{low['lowest_at']}) to {signed(high['highest'])} ({where(high)}, {high['highest_at']})"
    )


def undecided(rows: Sequence[Row]) -> str:
    """What became of the rows that neither side wins."""
    counts = {verdict: len(of_verdict(rows, verdict)) for verdict in UNDECIDED}
    told = ", ".join(f"{counts[name]} {words}" for name, words in UNDECIDED.items() if counts[name])
    return f"; of the others, {told}" if told else ""
