"""Extremely randomised trees on one-hot findings."""

from __future__ import annotations

from typing import Literal

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import RECALIBRATE


class ExtraTrees(LearnerSettings):
    """Extremely randomised trees, a forest that needs few labels."""

    kind: Literal["extra_trees"]


def methods(settings: ExtraTrees, training: Training) -> str:
    return (
        "Extremely randomised trees (scikit-learn) used the same tokens as 0/1 features; "
        "cross-validated log loss chose by how much to sharpen their mean."
    )


def family(settings: ExtraTrees, context: Context) -> Family:
    from concept_transfer.models import forest
    from concept_transfer.training.one_by_one import OneByOne

    return OneByOne(forest.fit_forest, forest.Forest, context, forest.USUAL)


LEARNER = Learner(
    settings=ExtraTrees,
    title="extra trees",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    can=frozenset({RECALIBRATE}),
    cross_fits=always,
)
