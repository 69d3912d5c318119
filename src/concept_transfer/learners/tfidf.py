"""Logistic regression on the words of documents."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import RECALIBRATE


class Tfidf(LearnerSettings):
    """L2-penalised (multinomial) logistic regression on TF-IDF weights of words, or on their
    latent semantic axes."""

    kind: Literal["tfidf"]
    lsa: int | None = Field(
        default=None, ge=2, description="Number of latent semantic axes; null: words themselves."
    )
    min_count: int = Field(
        default=2, ge=1, description="Documents that a word must stand in to be known."
    )


def methods(settings: Tfidf, training: Training) -> str:
    axes = f", reduced to {settings.lsa} latent semantic axes" if settings.lsa else ""
    return (
        f"Logistic regression read documents as TF-IDF weights of their words{axes}, with the "
        "strength of its L2 penalty chosen by cross-validated log loss. Words, their weights and "
        "axes were learned, without labels, from all documents outside every test set of the "
        "sites that a model was trained on."
    )


def family(settings: Tfidf, context: Context) -> Family:
    from concept_transfer.training.word_models import WordFamily

    return WordFamily(settings, context)


LEARNER = Learner(
    settings=Tfidf,
    title="words of documents",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    reads="text",
    can=frozenset({RECALIBRATE}),
    cross_fits=always,
)
