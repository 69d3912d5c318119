"""The study's questions, each answered by rows that its words can be chosen from.

Only like things are averaged: an effect here is the mean over directions of contrasts that agree
in everything else (but for the embedding of the network that meets a simple model), and it is
better or worse only where no direction has the opposite sign.
P values behind one answer are Holm-corrected among its rows. Cells with few test encounters of the
rarer class stay out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from concept_transfer.cell import Cell
from concept_transfer.comparison.advice import advice_rows
from concept_transfer.comparison.claims import claim_rows
from concept_transfer.comparison.comparisons import decide, effect_columns
from concept_transfer.comparison.contrasts import BEST_LOCAL, LADDER, Contrast
from concept_transfer.comparison.effects import paired_effect
from concept_transfer.comparison.learners import learner_rows
from concept_transfer.comparison.meaning import describes_shuffles, meaning_rows
from concept_transfer.comparison.permutations import ShuffleTest
from concept_transfer.comparison.selection import choices_by_validation
from concept_transfer.comparison.winners import winner_rows
from concept_transfer.evaluation.results import Results
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.study import Study

Row = dict[str, Any]
Fields = tuple[str, ...]


@dataclass(frozen=True)
class Alike:
    """What contrasts of one family agree in to be averaged, beside family and target size.

    Fields of the first cell of either side, and fields that ``both`` sides share.
    """

    a: Fields = ()
    b: Fields = ()
    both: Fields = ()


@dataclass(frozen=True)
class Question:
    """What is asked of which families of contrasts."""

    name: str
    families: Mapping[str, Alike]


MODEL = ("embedding", "classifier")
QUESTIONS = (
    Question(
        "tuning",
        {
            BEST_LOCAL: Alike(a=("strategy",), both=MODEL),
            "tuning": Alike(a=("strategy",), b=("strategy",), both=MODEL),
        },
    ),
    Question(
        "simple",
        {
            "simple baselines": Alike(a=("classifier", "strategy"), b=("classifier", "strategy")),
        },
    ),
    Question(
        "rates",
        {
            "scale": Alike(a=("embedding",), b=("embedding",), both=("strategy",)),
            "learning rate": Alike(a=("strategy",), b=("strategy",), both=MODEL),
            "scale x learning rate": Alike(
                a=("embedding", "strategy"), b=("embedding", "strategy")
            ),
        },
    ),
    Question(
        "ladder",
        {
            LADDER: Alike(a=("embedding",), b=("embedding",), both=("classifier", "strategy")),
        },
    ),
)


def answer_questions(
    study: Study,
    contrasts: Sequence[Contrast],
    results: Results,
    comparisons: Sequence[Row],
    shuffled: Mapping[Cell, ShuffleTest],
    lengths: Mapping[str, float],
) -> list[Row]:
    """Answers in the order of the report, one a question that the study's cells can ask.

    Each has its ``name`` and its ``rows``; `concept_transfer.reporting.answers` finds the words.
    ``comparisons``: the rows of the contrasts; ``lengths``: embedding -> median row length.
    """
    answers = []
    if describes_shuffles(contrasts):
        answers.append(("semantic", meaning_rows(study, contrasts, comparisons, shuffled, lengths)))
    powered = {c for c in contrasts if all(results[cell].headline for cell in c.cells)}
    for question in QUESTIONS:
        asked = [c for c in contrasts if c.family in question.families]
        if asked:
            told = [c for c in asked if c in powered]
            answers.append((question.name, mean_effects(question, told, results, study.evaluation)))
    if claims := claim_rows(study, results, shuffled):
        answers.append(("claims", claims))
    if learners := learner_rows(study, results):
        answers.append(("learners", learners))
    if choices := choices_by_validation(study, results, study.evaluation):
        answers.append(("choice", choices))
    if advice := advice_rows(study, contrasts, results, study.evaluation):
        answers.append(("advice", advice))
    if winners := winner_rows(study, results):
        answers.append(("winners", winners))
    return [{"name": name, "rows": rows} for name, rows in answers]


def mean_effects(
    question: Question, contrasts: Sequence[Contrast], results: Results, settings: Evaluation
) -> list[Row]:
    """The mean AUROC effect of every group of contrasts that the question takes for alike.

    A row has its ``family``, the fields of the sides ``a`` and ``b`` and of ``both``, ``size``,
    the number of ``comparisons``, the effect, and the ``lowest`` and ``highest`` single difference
    with its direction (``lowest_at``, ``highest_at``: source and target). Where these have
    opposite signs, a mean that would be better or worse is ``mixed`` instead: it does not speak
    for all directions.
    """
    groups: dict[tuple[Any, ...], list[Contrast]] = {}
    for contrast in contrasts:
        agreed = _agreement(contrast, question.families[contrast.family])
        groups.setdefault(tuple(agreed.items()), []).append(contrast)
    rows: list[Row] = []
    for key, members in groups.items():
        each = sorted(_each(members, results, settings))
        (lowest, lowest_at), (highest, highest_at) = each[0], each[-1]
        named = dict(key)
        rows.append(
            {
                **named,
                **{name: dict(named[name]) for name in ("a", "b", "both")},
                "comparisons": len(members),
                **effect_columns(paired_effect(members, results, settings)),
                "lowest": lowest,
                "lowest_at": dict(zip(("source", "target"), lowest_at, strict=True)),
                "highest": highest,
                "highest_at": dict(zip(("source", "target"), highest_at, strict=True)),
            }
        )
    decide(rows, settings)
    for row in rows:
        if row["lowest"] < 0 < row["highest"] and row["verdict"] in ("better", "worse"):
            row["verdict"] = "mixed"
    return rows


def _agreement(contrast: Contrast, alike: Alike) -> dict[str, Any]:
    a, b = contrast.plus[0], contrast.minus[0]
    return {
        "family": contrast.family,
        "a": _fields(a, alike.a),
        "b": _fields(b, alike.b),
        "both": _fields(a, alike.both),
        "size": next((cell.size for cell in contrast.cells if cell.size != "0"), "0"),
    }


def _fields(cell: Cell, names: Fields) -> tuple[tuple[str, str], ...]:
    return tuple((name, getattr(cell, name)) for name in names)


def _each(
    contrasts: Sequence[Contrast], results: Results, settings: Evaluation
) -> Iterator[tuple[float, tuple[str, str]]]:
    """Every contrast's difference and direction."""
    for contrast in contrasts:
        cell = contrast.plus[0]
        effect = paired_effect([contrast], results, settings)
        yield effect.difference, (cell.source, cell.target)
