"""A language model that reads documents, with a head that predicts the class."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import ALIGN, FREEZE, RATES, RECALIBRATE, START

MANY_LABELS = 300


class Document(LearnerSettings):
    """A language model of the section `encoders` (kind: text) with a head on the mean vector."""

    kind: Literal["document"]
    head: Literal["linear", "knn"] = Field(
        default="linear",
        description="Regularised multinomial logistic regression, or votes of the nearest labelled "
        "documents, whose language model is never tuned.",
    )
    layers: int | None = Field(
        default=2, ge=1, description="How many of the last layers tuning changes; null: everything."
    )
    objective: Literal["classes", "contrast"] = Field(
        default="classes",
        description="What tuning lowers: the head's loss, or supervised contrast of vectors, after "
        "each epoch of which the head is fitted anew.",
    )
    epochs: int = Field(
        default=4,
        ge=0,
        description="At most so many epochs of tuning; held-out labels choose, also none. Where "
        "they are too few to choose the language model stays.",
    )
    fewest: int = Field(
        default=0,
        ge=0,
        description="At least so many of these epochs, whatever held-out labels say; 0: they may "
        "choose none.",
    )
    learning_rate: float = Field(
        default=1e-4,
        gt=0,
        description="Step size of the language model's weights (2e-5 is usual for all of a large "
        "one).",
    )
    head_rate: float = Field(
        default=1e-3, gt=0, description="Step size of the head's weights (objective: classes)."
    )
    batch_size: int = Field(default=16, ge=1, description="Documents a step.")

    @model_validator(mode="after")
    def _epochs_in_order(self) -> Document:
        if self.fewest > self.epochs:
            raise ValueError(f"'fewest' is {self.fewest}, more than 'epochs', {self.epochs}")
        return self

    @property
    def is_linear(self) -> bool:
        return self.head == "linear"


def methods(settings: Document, training: Training) -> str:
    if not settings.is_linear:
        return (
            "Documents were classified by the labelled ones whose vectors by the language model "
            "are nearest in cosine; cross-validated log loss chose how many."
        )
    layers = f"its last {settings.layers} layers" if settings.layers else "all of it"
    trained = (
        f"it was then trained by AdamW (step size {settings.learning_rate:g}, batches of "
        f"{settings.batch_size}) to lower supervised contrast (Khosla et al. 2020), and the head "
        "fitted anew after each epoch,"
        if settings.objective == "contrast"
        else "it and the head were then trained by AdamW (step sizes "
        f"{settings.learning_rate:g} and {settings.head_rate:g}, batches of {settings.batch_size})"
    )
    chosen = (
        f"{settings.fewest} to {settings.epochs} epochs, chosen by the log loss of labels that "
        "were held out in cross-validation by cluster."
        if settings.fewest < settings.epochs
        else f"{settings.epochs} epochs."
    )
    tuned = f" Where a strategy tunes the language model ({layers}), {trained} for {chosen}"
    return (
        "Language models read documents as the mean of their tokens' vectors, of one length, with "
        "a multinomial logistic regression, whose L2 penalty cross-validation chose by the log "
        f"loss at the best slope.{tuned if settings.epochs else ''}"
    )


def family(settings: Document, context: Context) -> Family:
    from concept_transfer.training.document_models import DocumentFamily

    return DocumentFamily(settings, context)


def folds(labels: int, handed_on: bool) -> int:
    """As few as can choose, because tuning a language model takes long."""
    return 5 if labels < MANY_LABELS else 2


def lacks(settings: Document) -> frozenset[str]:
    return frozenset() if settings.is_linear else LEARNER.can


LEARNER = Learner(
    settings=Document,
    title="language model",
    methods=methods,
    family=family,
    files=("models.safetensors", "documents.json"),
    training=frozenset({"class_weight"}),
    reads="text",
    takes_encoder="text",
    can=frozenset({START, FREEZE, RATES, RECALIBRATE, ALIGN}),
    lacks=lacks,
    uses_torch=True,
    cross_fits=always,
    folds=folds,
)
