"""The concept CNN of Gao et al. 2024 (arXiv 2409.13893): embedded findings, a convolution, max."""

from __future__ import annotations

from typing import Literal

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import (
    DECAY,
    FREEZE,
    LOW_RANK,
    RATES,
    RECALIBRATE,
    START,
)

MANY_LABELS = 300


class ConceptCNN(LearnerSettings):
    """The concept CNN; its settings are those of `training`."""

    kind: Literal["cnn"]


def methods(settings: ConceptCNN, training: Training) -> str:
    scaled = f", scaled to a mean norm of {training.norm:g}," if training.norm else ""
    return (
        f"The concept CNN of Gao et al. (2024) passes the vectors of an encounter's tokens{scaled} "
        f"through a convolution of kernel size 1 with {training.filters} filters, ReLU, the "
        f"maximum over the encounter's tokens, dropout {training.dropout:g} and a linear layer "
        "with softmax. Tokens that are not recorded do not enter the maximum."
    )


def family(settings: ConceptCNN, context: Context) -> Family:
    from concept_transfer.training.concept_cnn import ConceptCNNs

    return ConceptCNNs(context)


def cross_fits(training: Training) -> bool:
    """The paper's protocol validates on encounters set apart."""
    return training.protocol != "gao2024"


def folds(labels: int, handed_on: bool) -> int:
    """The fewer the labels the more folds: a network costs the same without few or many.

    What chooses well enough: all labels once; of a source's many, those set apart.
    """
    if handed_on and labels >= MANY_LABELS:
        return 1
    return 5 if labels < MANY_LABELS else 3 if labels < 10 * MANY_LABELS else 2


LEARNER = Learner(
    settings=ConceptCNN,
    title="concept CNN",
    methods=methods,
    family=family,
    files=("weights.safetensors",),
    training=frozenset(Training.model_fields),
    takes_embedding=True,
    can=frozenset({START, FREEZE, DECAY, RATES, LOW_RANK, RECALIBRATE}),
    uses_torch=True,
    cross_fits=cross_fits,
    folds=folds,
)
