"""Logistic regression on one-hot findings."""

from __future__ import annotations

from typing import Any, Literal

from concept_transfer.learners.learner import (
    Context,
    Family,
    Learner,
    LearnerSettings,
    always,
    freely,
)
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import ALIGN, PRIOR, RECALIBRATE


class Logistic(LearnerSettings):
    """L2-penalised logistic regression, multinomial for more than two classes."""

    kind: Literal["logistic"]


def methods(settings: Logistic, training: Training) -> str:
    return (
        "Logistic regression used the same tokens as 0/1 features, with the strength of its L2 "
        "penalty chosen by cross-validated log loss, and was refitted on all labels."
    )


def family(settings: Logistic, context: Context) -> Family:
    from concept_transfer.models import multinomial, ridge_logistic
    from concept_transfer.training.token_lines import Problem, TokenLines, one_vs_rest

    def solve(problem: Problem, classes: int) -> tuple[Any, Any]:
        known = problem.train.findings, problem.train.labels, problem.weights
        data = multinomial.Classes(*known, classes, problem.prior)
        return multinomial.cross_fit(data, problem.folds)

    if context.classes == 2:
        return TokenLines(one_vs_rest(ridge_logistic.cross_fit), context)
    return TokenLines(solve, context, multinomial.Multinomial)


LEARNER = Learner(
    settings=Logistic,
    title="logistic regression",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    can=frozenset({ALIGN, PRIOR, RECALIBRATE}),
    cross_fits=always,
    leaves=freely,
)
