"""Gradient boosting on one-hot findings."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from pydantic import Field

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import RECALIBRATE


class GradientBoosting(LearnerSettings):
    """Gradient-boosted decision trees."""

    kind: Literal["gradient_boosting"]
    min_leaf: int = Field(
        default=1,
        ge=1,
        description="Training encounters in every leaf at least (from 2,000 of them on never fewer "
        "than 20); at evaluation.small_cells or more, the model may leave the hospital.",
    )


def methods(settings: GradientBoosting, training: Training) -> str:
    return (
        "Gradient boosting (scikit-learn) used the same tokens as 0/1 features, with the number "
        "of trees chosen by cross-validated log loss."
    )


def leaves(models: Any, small_cells: int) -> str:
    from concept_transfer.models.trees import small_leaf

    return small_leaf((models.models[place].fewest for place in models.of), small_cells)


def family(settings: GradientBoosting, context: Context) -> Family:
    from concept_transfer.models import boosting
    from concept_transfer.training.one_by_one import OneByOne

    fit = partial(boosting.fit_boosting, min_leaf=settings.min_leaf)
    return OneByOne(fit, boosting.Boosting, context, boosting.USUAL)


LEARNER = Learner(
    settings=GradientBoosting,
    title="gradient boosting",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    can=frozenset({RECALIBRATE}),
    cross_fits=always,
    leaves=leaves,
)
