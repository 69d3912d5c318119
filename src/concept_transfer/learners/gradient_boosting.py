"""Gradient boosting on one-hot findings."""

from __future__ import annotations

from typing import Literal

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import RECALIBRATE


class GradientBoosting(LearnerSettings):
    """Gradient-boosted decision trees."""

    kind: Literal["gradient_boosting"]


def methods(settings: GradientBoosting, training: Training) -> str:
    return (
        "Gradient boosting (scikit-learn) used the same tokens as 0/1 features, with the number "
        "of trees chosen by cross-validated log loss."
    )


def family(settings: GradientBoosting, context: Context) -> Family:
    from concept_transfer.models import boosting
    from concept_transfer.training.one_by_one import OneByOne

    return OneByOne(boosting.fit_boosting, boosting.Boosting, context, boosting.USUAL)


LEARNER = Learner(
    settings=GradientBoosting,
    title="gradient boosting",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    can=frozenset({RECALIBRATE}),
    cross_fits=always,
)
