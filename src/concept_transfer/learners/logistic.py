"""Logistic regression on one-hot findings."""

from __future__ import annotations

from typing import Literal

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import RECALIBRATE


class Logistic(LearnerSettings):
    """L2-penalised logistic regression."""

    kind: Literal["logistic"]


def methods(settings: Logistic, training: Training) -> str:
    return (
        "Logistic regression (scikit-learn) used the same tokens as 0/1 features, with the "
        "strength of its L2 penalty chosen by cross-validated log loss."
    )


def family(settings: Logistic, context: Context) -> Family:
    from concept_transfer.models import logistic
    from concept_transfer.training.one_by_one import OneByOne

    return OneByOne(logistic.fit_logistic, logistic.Logistic, context, logistic.USUAL)


LEARNER = Learner(
    settings=Logistic,
    title="logistic regression",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    can=frozenset({RECALIBRATE}),
    cross_fits=always,
)
