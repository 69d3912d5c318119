"""A pre-trained encoder of patients' histories, tuned to predict the outcome.

The heads are those of He et al. 2025 (Next Visit Token Prediction, arXiv 2501.02044): a linear
layer on the patient's vector, or the probability of the outcome's own codes at a token that is
masked, in the newest visit or as a visit to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.task import Task
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import (
    ALIGN,
    FREEZE,
    LOW_RANK,
    RATES,
    RECALIBRATE,
    START,
    ZERO,
)

if TYPE_CHECKING:
    from concept_transfer.pretraining.coverage import Coverage

MANY_LABELS = 300

Head = Literal["classification", "token_sum", "next_visit_mask"]
Pooling = Literal["cls", "mean", "max", "attention", "gru"]


class History(LearnerSettings):
    """An encoder of the section `encoders` with a head."""

    kind: Literal["history"]
    head: Head = Field(
        default="classification",
        description="What is predicted from: the patient's vector, or the probability of "
        "task.outcome_codes at a masked token, added to the newest visit (token_sum) or as a next "
        "visit of its own (next_visit_mask).",
    )
    pooling: Pooling = Field(
        default="cls",
        description="What the patient's vector is of those of all tokens (classification).",
    )
    epochs: int = Field(
        default=6,
        ge=0,
        description="At most so many epochs of tuning the encoder; held-out labels choose, also "
        "none. Where they are too few to choose the encoder stays.",
    )
    learning_rate: float = Field(
        default=1e-4, gt=0, description="Step size of the encoder's weights."
    )
    head_rate: float = Field(default=2e-3, gt=0, description="Step size of the head's weights.")
    batch_size: int = Field(default=32, ge=1, description="Encounters a step.")

    @property
    def reads_codes(self) -> bool:
        """Whether it predicts by the probability of the outcome's codes."""
        return self.head != "classification"


POOLED = {
    "cls": "the vector of the first token",
    "mean": "the mean of all tokens' vectors",
    "max": "the maximum of all tokens' vectors",
    "attention": "a mean of all tokens' vectors, weighted by attention,",
    "gru": "the last states of a bidirectional GRU over all tokens' vectors",
}
ASKED = {"token_sum": "appended to the newest visit", "next_visit_mask": "alone in a next visit"}


def methods(settings: History, training: Training) -> str:
    if settings.reads_codes:
        head = (
            "read the probability of the outcome's codes at a masked token "
            f"{ASKED[settings.head]} (He et al. 2025), whose log odds labels stretched and shifted"
        )
    else:
        head = (
            f"passed {POOLED[settings.pooling]} on to a linear layer, fitted with a ridge penalty"
        )
    tuned = (
        f"Then encoder and head were tuned by AdamW (step sizes {settings.learning_rate:g} and "
        f"{settings.head_rate:g}, batches of {settings.batch_size}) for zero to "
        f"{settings.epochs} epochs, chosen by the log loss of labels that were held out in "
        "cross-validation by cluster. "
    )
    return (
        f"The pre-trained encoders {head}. {tuned if settings.epochs else ''}"
        "Codes that an encoder does not know were read as their longest known beginning, or as "
        "unknown. Replicates with the same encoder and the same labels share a model."
    )


def family(settings: History, context: Context) -> Family:
    from concept_transfer.training.history_models import HistoryFamily

    return HistoryFamily(settings, context)


def folds(labels: int, handed_on: bool) -> int:
    """As few as can choose: tuning an encoder takes long. Of a source's many labels, those that
    are set apart choose."""
    if handed_on and labels >= MANY_LABELS:
        return 1
    return 5 if labels < MANY_LABELS else 2


def lacks(settings: History) -> frozenset[str]:
    return frozenset() if settings.reads_codes else frozenset({ZERO})


def refused(settings: History, task: Task) -> str:
    if not settings.reads_codes:
        return ""
    if not task.outcome_codes:
        return (
            f"the head {settings.head} reads the probability of the outcome's codes; name them in "
            "task.outcome_codes, or take head: classification"
        )
    if task.many_classes:
        return f"the head {settings.head} is for two classes; take head: classification"
    return ""


def coverage(models: Any, history: Any) -> list[Coverage]:
    found: list[Coverage] = models.coverage(history)
    return found


def leaves(models: Any, small_cells: int) -> str:
    fewest = min(body.settings.min_count for body in models.bodies)
    if fewest >= small_cells:
        return ""
    return (
        f"its encoder lists codes that as few as {fewest} patients have; pre-train it with "
        f"`min_count: {small_cells}`"
    )


LEARNER = Learner(
    settings=History,
    title="history encoder",
    methods=methods,
    family=family,
    files=("weights.safetensors", "encoder.json"),
    training=frozenset({"class_weight"}),
    reads="history",
    takes_encoder="codes",
    can=frozenset({START, FREEZE, RATES, LOW_RANK, RECALIBRATE, ALIGN, ZERO}),
    lacks=lacks,
    refused=refused,
    uses_torch=True,
    cross_fits=always,
    folds=folds,
    leaves=leaves,
    coverage=coverage,
)
