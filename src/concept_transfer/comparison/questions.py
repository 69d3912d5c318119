"""The study's questions, each answered in words that its own numbers choose.

Only like things are averaged: an effect here is the mean over directions of contrasts that agree
in everything else (but for the embedding of the network that meets a simple model), and it is
better or worse only where no direction has the opposite sign.
P values behind one answer are Holm-corrected among its rows. Cells with few test encounters of the
rarer class stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from concept_transfer.comparison.claims import claim_rows
from concept_transfer.comparison.comparisons import decide, effect_columns
from concept_transfer.comparison.contrasts import BEST_LOCAL, Contrast
from concept_transfer.comparison.effects import paired_effect
from concept_transfer.comparison.meaning import describes_shuffles, meaning_rows
from concept_transfer.comparison.permutations import ShuffleTest
from concept_transfer.comparison.selection import choices_by_validation
from concept_transfer.comparison.sentences import (
    UNDERPOWERED,
    Row,
    say_choice,
    say_claims,
    say_rates,
    say_semantic,
    say_simple,
    say_tuning,
)
from concept_transfer.evaluation.results import Results
from concept_transfer.grid import NO_EMBEDDING, Cell
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.study import Study


@dataclass(frozen=True)
class Question:
    """What is asked of which families of contrasts; ``columns`` tell effects apart."""

    name: str
    text: str
    families: tuple[str, ...]
    columns: Callable[[Contrast], dict[str, str]]
    say: Callable[[Study, list[Row]], str]


def answer_questions(
    study: Study,
    contrasts: Sequence[Contrast],
    results: Results,
    comparisons: Sequence[Row],
    shuffled: Mapping[Cell, ShuffleTest],
    lengths: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Answers in the order of the report, one dict a question that the study's cells can ask.

    ``name``, ``question``, ``answer`` (sentences) and ``rows`` (the numbers behind it).
    ``comparisons``: the rows of the contrasts; ``lengths``: embedding -> median row length.
    """
    answers = []
    if describes_shuffles(contrasts):
        rows = meaning_rows(study, contrasts, comparisons, shuffled, lengths)
        answers.append(
            _answer(
                "semantic",
                "Does it matter what the vectors mean?",
                say_semantic(study, rows),
                rows,
            )
        )
    powered = {c for c in contrasts if all(results[cell].headline for cell in c.cells)}
    for question in QUESTIONS:
        asked = [c for c in contrasts if c.family in question.families]
        if asked:
            rows = mean_effects(
                [c for c in asked if c in powered], results, study.evaluation, question.columns
            )
            words = question.say(study, rows) if rows else UNDERPOWERED
            answers.append(_answer(question.name, question.text, words, rows))
    if claims := claim_rows(study, results, shuffled):
        answers.append(
            _answer(
                "claims",
                "Which of the stated claims survive?",
                say_claims(study, claims),
                claims,
            )
        )
    if choices := choices_by_validation(study, results, study.evaluation):
        answers.append(
            _answer(
                "choice",
                "What would validation data have chosen, and what does it cost?",
                say_choice(study, choices),
                choices,
            )
        )
    return answers


def _answer(name: str, question: str, answer: str, rows: list[Row]) -> dict[str, Any]:
    return {"name": name, "question": question, "answer": answer, "rows": rows}


def mean_effects(
    contrasts: Sequence[Contrast],
    results: Results,
    settings: Evaluation,
    columns: Callable[[Contrast], dict[str, str]],
) -> list[Row]:
    """The mean AUROC effect of every group of contrasts that share family and ``columns``.

    ``comparisons`` of them, from ``lowest`` (at the direction ``lowest_at``) to ``highest``. Where
    these have opposite signs, a mean that would be better or worse is ``mixed`` instead: it does
    not speak for all directions.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Contrast]] = {}
    for contrast in contrasts:
        key = (("family", contrast.family), *columns(contrast).items())
        groups.setdefault(key, []).append(contrast)
    rows: list[Row] = []
    for key, members in groups.items():
        each = sorted(_each(members, results, settings))
        (lowest, lowest_at), (highest, highest_at) = each[0], each[-1]
        rows.append(
            {
                **dict(key),
                "comparisons": len(members),
                **effect_columns(paired_effect(members, results, settings)),
                "lowest": lowest,
                "lowest_at": lowest_at,
                "highest": highest,
                "highest_at": highest_at,
            }
        )
    decide(rows, settings)
    for row in rows:
        if row["lowest"] < 0 < row["highest"] and row["verdict"] in ("better", "worse"):
            row["verdict"] = "mixed"
    return rows


def _each(
    contrasts: Sequence[Contrast], results: Results, settings: Evaluation
) -> Iterator[tuple[float, str]]:
    for contrast in contrasts:
        cell = contrast.plus[0]
        direction = f"{cell.source} → {cell.target}" if cell.source else cell.target
        yield paired_effect([contrast], results, settings).difference, direction


def _model(cell: Cell) -> str:
    return cell.classifier if cell.embedding == NO_EMBEDDING else cell.embedding


def _size(contrast: Contrast) -> str:
    return next((cell.size for cell in contrast.cells if cell.size != "0"), "0")


def _tuning_columns(contrast: Contrast) -> dict[str, str]:
    a, b = contrast.plus[0], contrast.minus[0]
    rival = "best target-only model" if contrast.family == BEST_LOCAL else b.strategy
    return {"model": _model(a), "a": a.strategy, "b": rival, "size": _size(contrast)}


def _simple_columns(contrast: Contrast) -> dict[str, str]:
    network, simple = contrast.plus[0], contrast.minus[0]
    names = {"a": "network", "b": simple.classifier, "strategy": network.strategy}
    return names | {"rival": simple.strategy, "size": _size(contrast)}


def _rates_columns(contrast: Contrast) -> dict[str, str]:
    a, b = contrast.plus[0], contrast.minus[0]
    size = {"size": _size(contrast)}
    if contrast.family == "scale":
        return {"a": a.embedding, "b": b.embedding, "at": a.strategy} | size
    if contrast.family == "learning rate":
        return {"a": a.strategy, "b": b.strategy, "at": a.embedding} | size
    both = {"a": f"{a.embedding} {a.strategy}", "b": f"{b.embedding} {b.strategy}", "at": "both"}
    return both | size


QUESTIONS = (
    Question(
        "tuning",
        "When does transfer hurt, and from how many target labels on is tuning worth it?",
        (BEST_LOCAL, "tuning"),
        _tuning_columns,
        say_tuning,
    ),
    Question(
        "simple",
        "Does a simple model win?",
        ("simple baselines",),
        _simple_columns,
        say_simple,
    ),
    Question(
        "rates",
        "What do scale and learning rate do by themselves?",
        ("scale", "learning rate", "scale x learning rate"),
        _rates_columns,
        say_rates,
    ),
)
