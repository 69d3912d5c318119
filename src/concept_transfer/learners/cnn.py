"""The concept CNN of Gao et al. 2024 (arXiv 2409.13893): embedded findings, a convolution, max"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, freely
from concept_transfer.settings.section import Distinct
from concept_transfer.settings.training import CHOSEN, Training, several
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

MANY_LABELS = 300


Pooling = Literal["max", "sum", "mean", "max_sum"]


class ConceptCNN(LearnerSettings):
    """The concept CNN; its further settings are those of `training`."""

    kind: Literal["cnn"]
    pooling: Pooling | Annotated[Distinct[Pooling], Field(min_length=1)] = Field(
        default="max",
        description="What the linear layer gets of an encounter's findings: the maximum, the sum "
        "or the mean of each filter, or maximum + sum. Of several, each cell chooses by "
        "cross-validation (the first under gao2024).",
    )
    seeds: int = Field(
        default=1,
        ge=1,
        description="Networks with different initial weights, batches and dropout whose logits "
        "are averaged.",
    )


POOLED = {
    "max": "the maximum",
    "sum": "the sum",
    "mean": "the mean",
    "max_sum": "the maximum plus the sum",
}


def methods(settings: ConceptCNN, training: Training) -> str:
    norms = " or ".join(f"{norm:g}" for norm in several(training.norm) if norm)
    scaled = f", scaled to a mean norm of {norms}," if norms else ""
    poolings = several(settings.pooling)[: None if cross_fits(training) else 1]
    pooled = " or ".join(POOLED[name] for name in poolings)
    sentences = [
        f"The concept CNN of Gao et al. (2024) passes the vectors of an encounter's tokens{scaled} "
        f"through a convolution of kernel size 1 with {training.filters} filters, ReLU, {pooled} "
        f"over the encounter's tokens, dropout {training.dropout:g} and a linear layer with "
        "softmax. Tokens that are not recorded do not enter."
    ]
    if settings.seeds > 1:
        sentences.append(f"The logits of {settings.seeds} such networks were averaged.")
    if cross_fits(training):
        if training.class_weight == "none":
            sentences.append("Training began at the shares of the classes.")
        chosen = [name for name in CHOSEN if isinstance(getattr(training, name), list)]
        chosen += ["pooling"] if len(poolings) > 1 else []
        also = "".join(f", {name.replace('_', ' ')}" for name in chosen)
        sentences.append(
            f"The number of epochs{also} was chosen by the loss on held-out labels in "
            "cross-validation by cluster, of five folds, three from "
            f"{MANY_LABELS} and two from {10 * MANY_LABELS:,} labels on (of source models with so "
            "many, on their validation encounters), and the network trained on all labels; what is "
            "said of a fold was chosen by the others."
        )
    return " ".join(sentences)


def family(settings: ConceptCNN, context: Context) -> Family:
    from concept_transfer.training.concept_cnn import ConceptCNNs

    return ConceptCNNs(context, tuple(several(settings.pooling)), settings.seeds)


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
    can=frozenset({START, FREEZE, DECAY, RATES, LOW_RANK, RECALIBRATE, ALIGN, ADVERSARY}),
    uses_torch=True,
    cross_fits=cross_fits,
    folds=folds,
    leaves=freely,
)
