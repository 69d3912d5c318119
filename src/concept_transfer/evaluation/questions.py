"""The study's questions, each answered in words that its own numbers choose.

An effect here is the mean of all contrasts that ask the same thing, with their covariance; the
p values behind one answer are Holm-corrected among its rows. Cells with few test positives stay
out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from concept_transfer.evaluation.claims import claim_rows
from concept_transfer.evaluation.comparisons import decide
from concept_transfer.evaluation.contrasts import Contrast
from concept_transfer.evaluation.effects import paired_effect
from concept_transfer.evaluation.results import Results
from concept_transfer.evaluation.selection import choices_by_validation
from concept_transfer.evaluation.sentences import (
    UNDERPOWERED,
    Row,
    say_choice,
    say_claims,
    say_rates,
    say_semantic,
    say_simple,
    say_tuning,
)
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.study import Study


def answer_questions(
    study: Study, contrasts: Sequence[Contrast], results: Results
) -> list[dict[str, Any]]:
    """Answers in the order of the report, one dict a question that the study's cells can ask.

    ``name``, ``question``, ``answer`` (sentences with intervals) and ``rows`` (the numbers behind
    it: mean AUROC differences with ``lower``, ``upper``, ``p_holm`` and ``verdict``, or the
    choices by validation).
    """
    settings = study.evaluation
    powered = {c for c in contrasts if all(results[cell].headline for cell in c.cells)}
    answers = []
    for name, question, families, columns, sentences in (
        (
            "semantic",
            "Is the gain semantic, or an effect of width and scale?",
            ("meaning", "against one-hot", "width and scale"),
            lambda c: {"a": c.plus[0].embedding, "b": c.minus[0].embedding},
            say_semantic,
        ),
        (
            "tuning",
            "When does transfer hurt, and from how many target labels on is tuning worth it?",
            ("target data only", "tuning"),
            lambda c: {"a": c.plus[0].strategy, "b": c.minus[0].strategy, "size": _size(c)},
            say_tuning,
        ),
        (
            "simple",
            "Does a simple model win?",
            ("simple baselines",),
            _simple_columns,
            say_simple,
        ),
        (
            "rates",
            "What do scale and learning rate do by themselves?",
            ("scale", "learning rate", "scale x learning rate"),
            _rates_columns,
            say_rates,
        ),
    ):
        asked = [c for c in contrasts if c.family in families]
        if not asked:
            continue
        rows = mean_effects([c for c in asked if c in powered], results, settings, columns)
        answer = sentences(study, rows) if rows else UNDERPOWERED
        answers.append({"name": name, "question": question, "answer": answer, "rows": rows})
    claims = claim_rows(study, results)
    if claims:
        answers.append(
            {
                "name": "claims",
                "question": "Which of the stated claims survive?",
                "answer": say_claims(study, claims),
                "rows": claims,
            }
        )
    choices = choices_by_validation(study, results, settings)
    if choices:
        answers.append(
            {
                "name": "choice",
                "question": "What would validation data have chosen, and what does it cost?",
                "answer": say_choice(study, choices),
                "rows": choices,
            }
        )
    return answers


def mean_effects(
    contrasts: Sequence[Contrast],
    results: Results,
    settings: Evaluation,
    columns: Callable[[Contrast], dict[str, str]],
) -> list[Row]:
    """The mean AUROC effect of every group of contrasts that share family and ``columns``."""
    groups: dict[tuple[tuple[str, str], ...], list[Contrast]] = {}
    for contrast in contrasts:
        key = (("family", contrast.family), *columns(contrast).items())
        groups.setdefault(key, []).append(contrast)
    rows: list[Row] = []
    for key, members in groups.items():
        effect = paired_effect(members, results, settings)
        rows.append(
            {
                **dict(key),
                "comparisons": len(members),
                "difference": effect.difference,
                "lower": effect.lower,
                "upper": effect.upper,
                "p": effect.p,
                "p_equivalence": effect.p_equivalence,
            }
        )
    decide(rows, settings)
    return rows


def _size(contrast: Contrast) -> str:
    return next((cell.size for cell in contrast.cells if cell.size != "0"), "0")


def _simple_columns(contrast: Contrast) -> dict[str, str]:
    network, simple = contrast.plus[0], contrast.minus[0]
    names = {"a": "network", "b": simple.classifier, "strategy": network.strategy}
    return names | {"rival": simple.strategy}


def _rates_columns(contrast: Contrast) -> dict[str, str]:
    a, b = contrast.plus[0], contrast.minus[0]
    if contrast.family == "scale":
        return {"a": a.embedding, "b": b.embedding, "at": a.strategy}
    if contrast.family == "learning rate":
        return {"a": a.strategy, "b": b.strategy, "at": a.embedding}
    return {"a": f"{a.embedding} {a.strategy}", "b": f"{b.embedding} {b.strategy}", "at": "both"}
