"""Extremely randomised trees on one-hot findings."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from pydantic import Field

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import RECALIBRATE


class ExtraTrees(LearnerSettings):
    """Extremely randomised trees, a forest that needs few labels."""

    kind: Literal["extra_trees"]
    min_leaf: int = Field(
        default=1,
        ge=1,
        description="Training encounters in every leaf at least; at evaluation.small_cells or "
        "more, the model may leave the hospital.",
    )


def methods(settings: ExtraTrees, training: Training) -> str:
    return (
        "Extremely randomised trees (scikit-learn) used the same tokens as 0/1 features; "
        "cross-validated log loss chose by how much to sharpen their mean."
    )


def leaves(models: Any, small_cells: int) -> str:
    from concept_transfer.models.trees import small_leaf

    return small_leaf((models.models[place].fewest for place in models.of), small_cells)


def family(settings: ExtraTrees, context: Context) -> Family:
    from concept_transfer.models import forest
    from concept_transfer.training.one_by_one import OneByOne

    fit = partial(forest.fit_forest, min_leaf=settings.min_leaf)
    return OneByOne(fit, forest.Forest, context, forest.USUAL)


LEARNER = Learner(
    settings=ExtraTrees,
    title="extra trees",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    can=frozenset({RECALIBRATE}),
    cross_fits=always,
    leaves=leaves,
)
