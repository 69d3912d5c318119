"""The concept CNN of Gao et al. 2024 (arXiv 2409.13893): embedded findings, a convolution, max."""

from __future__ import annotations

from typing import Literal

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import (
    ADVERSARY,
    ALIGN,
    DECAY,
    FREEZE,
    LOW_RANK,
    RATES,
    RECALIBRATE,
    START,
)


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


LEARNER = Learner(
    settings=ConceptCNN,
    title="concept CNN",
    methods=methods,
    family=family,
    files=("weights.safetensors",),
    training=frozenset(Training.model_fields),
    takes_embedding=True,
    can=frozenset({START, FREEZE, DECAY, RATES, LOW_RANK, RECALIBRATE, ALIGN, ADVERSARY}),
    uses_torch=True,
)
