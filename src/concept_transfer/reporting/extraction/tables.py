"""The tables of an extraction study."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from concept_transfer.extraction.scores import MODES
from concept_transfer.reporting.columns import Column, intervals
from concept_transfer.reporting.extraction.evidence import ExtractionEvidence
from concept_transfer.reporting.formats import Table

BOUNDS = ("", "_lower", "_upper")


def glance(evidence: ExtractionEvidence) -> Table:
    """A row a tagger: strict scores, and F1 counted more leniently."""
    rows = evidence.strict().reset_index(drop=True)
    others = {
        mode: _in_order(evidence.scores[evidence.scores["mode"] == mode], rows)
        for mode in MODES[1:]
    }
    columns = [
        *_names(evidence, rows),
        *(_interval(rows, measure, evidence) for measure in ("f1", "precision", "recall")),
        *(_interval(other, "f1", evidence, mode) for mode, other in others.items()),
        Column("Seconds to learn", "number", rows["seconds"], digits=0),
    ]
    return Table(
        "taggers",
        "answers",
        "Taggers at a glance",
        f"Scores of spans on the test part, all types together. {_drawn(evidence)} Lenient: a word "
        "shared with a mention of the type; boundary: the words of a mention of any type. Seconds "
        "are those of a processor, mean over replicates.",
        rows,
        columns,
    )


def tables(evidence: ExtractionEvidence) -> Iterator[Table]:
    """All other tables, in the order of the report."""
    scores = evidence.scores.reset_index(drop=True)
    yield Table(
        "scores",
        "scores",
        "Scores by type",
        f"Precision, recall and F1 of spans. {_drawn(evidence)} Spread: standard deviation of F1 "
        "over replicates.",
        scores,
        [
            *_names(evidence, scores),
            Column("Mode", "name", scores["mode"]),
            Column("Type", "name", scores["type"]),
            Column("Marked", "number", scores["marked"]),
            *(_interval(scores, measure, evidence) for measure in ("precision", "recall", "f1")),
            Column("Spread", "number", scores["spread"]),
        ],
    )
    tests = evidence.tests.reset_index(drop=True)
    if len(tests):
        yield Table(
            "tests",
            "comparisons",
            "Paired comparisons",
            "Differences in strict F1 of all types, of taggers that learned the same. p: "
            "approximate randomisation, what both found exchanged in "
            f"{_units(evidence)} at random; corrected by Holm's method among all pairs of a group.",
            tests,
            [
                *_places(evidence, tests),
                Column("A", "name", tests["a"]),
                Column("B", "name", tests["b"]),
                Column(
                    f"A − B [{_level(evidence)}]",
                    "interval",
                    intervals(tests, ["difference", "lower", "upper"]),
                ),
                Column("p (Holm)", "p", tests["p_holm"]),
                Column("A is", "verdict", tests["verdict"]),
            ],
        )
    parts = evidence.parts
    yield Table(
        "corpora",
        "data",
        "Corpora",
        "What the parts hold. Empty sentences are those that mention nothing.",
        parts,
        [
            Column("Corpus", "name", parts["corpus"]),
            Column("Part", "name", parts["part"]),
            Column("Documents", "number", [n or "unknown" for n in parts["documents"]]),
            Column("Sentences", "number", parts["sentences"]),
            Column("Empty", "number", parts["empty_sentences"]),
            Column("Words", "number", parts["words"]),
            Column("Mentions", "number", parts["mentions"]),
        ],
    )


def _in_order(scores: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The scores of the same taggers and types as `rows`, in their order."""
    keys = ["corpus", "train", "tagger", "type"]
    return rows[keys].merge(scores, on=keys, how="left")


def _places(evidence: ExtractionEvidence, rows: pd.DataFrame) -> list[Column]:
    study = evidence.study
    return [
        *([Column("Corpus", "name", rows["corpus"])] if len(study.corpora) > 1 else []),
        *([Column("Learned from", "name", rows["train"])] if len(study.train) > 1 else []),
    ]


def _names(evidence: ExtractionEvidence, rows: pd.DataFrame) -> list[Column]:
    return [*_places(evidence, rows), Column("Tagger", "name", rows["tagger"])]


def _interval(
    rows: pd.DataFrame, measure: str, evidence: ExtractionEvidence, mode: str = ""
) -> Column:
    words = "F1" if measure == "f1" else measure
    name = f"{mode} {words}".strip()
    values = intervals(rows, [measure + bound for bound in BOUNDS])
    return Column(f"{name[0].upper()}{name[1:]} [{_level(evidence)}]", "interval", values)


def _level(evidence: ExtractionEvidence) -> str:
    return f"{100 * evidence.study.evaluation.confidence:g}% CI"


def _units(evidence: ExtractionEvidence) -> str:
    return " or ".join(f"{unit}s" for unit in sorted(set(evidence.scores["unit"])))


def _drawn(evidence: ExtractionEvidence) -> str:
    return (
        f"Intervals are percentiles of {evidence.study.evaluation.draws:,} bootstrap draws of "
        f"{_units(evidence)}."
    )
