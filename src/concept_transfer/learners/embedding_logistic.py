"""Ridge logistic regression on one-hot findings and the sum of their vectors."""

from __future__ import annotations

from typing import Literal

from concept_transfer.learners.learner import (
    Context,
    Family,
    Learner,
    LearnerSettings,
    always,
    freely,
)
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import ALIGN, PRIOR


class EmbeddingLogistic(LearnerSettings):
    """L2-penalised logistic regression on tokens and the sum of their vectors."""

    kind: Literal["embedding_logistic"]


def methods(settings: EmbeddingLogistic, training: Training) -> str:
    return (
        "Ridge logistic regression used the same tokens as 0/1 features beside the sum of their "
        "vectors, these at a mean length of 1, with one L2 penalty for all, chosen by "
        "cross-validated log loss and refitted on all labels."
    )


def family(settings: EmbeddingLogistic, context: Context) -> Family:
    from concept_transfer.models.ridge_logistic import cross_fit
    from concept_transfer.training.token_lines import TokenLines, one_vs_rest

    return TokenLines(one_vs_rest(cross_fit), context)


LEARNER = Learner(
    settings=EmbeddingLogistic,
    title="logistic regression on vectors",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    takes_embedding=True,
    can=frozenset({ALIGN, PRIOR}),
    cross_fits=always,
    leaves=freely,
)
