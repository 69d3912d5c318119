"""Where transfer wins and loses, and from how many target labels on tuning does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from concept_transfer.comparison.contrasts import BEST_LOCAL
from concept_transfer.reporting.answers.phrases import (
    UNDERPOWERED,
    Row,
    effect,
    extremes,
    is_shown,
    labels,
    model_of,
    of_verdict,
    signed,
    undecided,
    used,
    with_directions,
)
from concept_transfer.reporting.looks import learner_title
from concept_transfer.reporting.rows import size_rank
from concept_transfer.reporting.words import listing
from concept_transfer.study import Study

QUESTION = "When does transfer hurt, and from how many target labels on is tuning worth it?"


def labelled(study: Study, row: Row) -> Row:
    """``model``; the strategy ``a`` and its rival ``b``."""
    numbers = {name: row[name] for name in row if name not in ("family", "a", "b", "both")}
    return {
        "family": row["family"],
        "model": model_of(study, row["both"]),
        "a": row["a"]["strategy"],
        "b": row["b"].get("strategy", BEST_LOCAL),
        **with_directions(numbers),
    }


def sentences(study: Study, rows: Sequence[Row]) -> list[str]:
    rows = list(filter(is_shown, rows))
    asked = [row for row in rows if row["family"] == BEST_LOCAL]
    tuned = [row for row in rows if row["family"] != BEST_LOCAL]
    carried = [row for row in asked if study.strategy(row["a"]).has_source]
    unlabelled = [row for row in asked if not study.strategy(row["a"]).has_source]
    told = [_against_best_local(study, carried, "transfer")] if carried else []
    if unlabelled:
        told.append(_against_best_local(study, unlabelled, "what uses no label anywhere"))
    for a, b in dict.fromkeys((row["a"], row["b"]) for row in tuned):
        told += _of_pair(study, a, b, [row for row in tuned if (row["a"], row["b"]) == (a, b)])
    return told or [UNDERPOWERED]


def _against_best_local(study: Study, rows: Sequence[Row], what: str) -> str:
    def where(row: Row) -> str:
        return f"{learner_title(study, row['model'])} {used(row['a'], row['size'])}"

    return (
        f"Against the target-only model that validation would choose, {what} wins in "
        f"{len(of_verdict(rows, 'better'))} of {len(rows)} combinations of model, strategy and "
        f"target size and loses in {len(of_verdict(rows, 'worse'))}{undecided(rows)}; "
        f"{extremes(rows, where)}."
    )


def _of_pair(study: Study, a: str, b: str, rows: Sequence[Row]) -> Iterator[str]:
    """What strategy ``a`` gains over ``b``, model by model, by size."""
    first = _first_sizes(study, rows)
    for size, winners in first.items():
        models = listing([learner_title(study, row["model"]) for row in winners])
        yield f"{a} beats {b} from {labels(size)} on with {models}: {_span(winners)}."
    lasting = {row["model"] for winners in first.values() for row in winners}
    for row in of_verdict(rows, "better"):
        if row["model"] not in lasting:
            yield (
                f"At {labels(row['size'])} {a} beats {b} with "
                f"{learner_title(study, row['model'])}, but not at every larger size: "
                f"{_span([row])}."
            )
    if not of_verdict(rows, "better"):
        yield f"{a} is not shown to beat {b} at any size studied."
    for row in of_verdict(rows, "worse"):
        model = learner_title(study, row["model"])
        yield f"At {labels(row['size'])} {effect(study, row)} with {model}."


def _first_sizes(study: Study, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Size -> the models that are better from it on, as their rows at that size."""
    sizes = sorted(map(str, study.target_sizes), key=size_rank)
    first: dict[str, list[Row]] = {}
    for model in dict.fromkeys(row["model"] for row in rows):
        by_size = {row["size"]: row for row in rows if row["model"] == model}
        worth = _from_here_on_better([by_size[size] for size in sizes if size in by_size])
        if worth:
            first.setdefault(worth["size"], []).append(worth)
    return first


def _from_here_on_better(rows: Sequence[Row]) -> Row | None:
    """The smallest size that is better, and so are all larger ones."""
    start = len(rows)
    while start > 0 and rows[start - 1]["verdict"] == "better":
        start -= 1
    return rows[start] if start < len(rows) else None


def _span(rows: Sequence[Row]) -> str:
    """The effects of rows of one sign."""
    low, high = min(r["difference"] for r in rows), max(r["difference"] for r in rows)
    if len(rows) == 1:
        return f"{signed(low)} AUROC"
    return f"{signed(low)} to {signed(high)} AUROC"
