"""Training settings as the config states them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from concept_transfer.settings.section import Distinct, Section

PRIOR_ENCOUNTERS = 2.5
TUNED_DECAY = 1e-3
CHOSEN = ("learning_rate", "tuning_rate", "weight_decay", "norm")  # may be lists


Positive = Annotated[float, Field(gt=0)]
Decaying = Annotated[float, Field(ge=0)]
OneOrMore = Annotated[Distinct[Positive], Field(min_length=1)]


class Training(Section):
    """How models are fitted; every field's default follows from the protocol."""

    protocol: Literal["early_stopping", "gao2024"] = Field(
        default="early_stopping",
        description="Epochs until validation stops improving, or the paper's fixed schedule.",
    )
    learning_rate: Positive | OneOrMore = Field(
        description="Step size of the optimizer. Of several, each cell chooses by cross-validation "
        "(so too of `tuning_rate`, `weight_decay` and `norm`; not under gao2024)."
    )
    tuning_rate: Positive | OneOrMore | None = Field(
        default=None,
        description="Step size where training goes on from a handed-on model; null: each cell "
        "chooses between a tenth of learning_rate and learning_rate (gao2024: learning_rate).",
    )
    batch_size: int = Field(default=32, ge=1, description="Encounters a step.")
    epochs: int = Field(ge=1, description="At most this many epochs.")
    min_epochs: int = Field(
        default=1,
        ge=1,
        description="No earlier epoch is kept where training begins with untrained weights (but "
        "`epochs` are never exceeded).",
    )
    iterations: int | None = Field(
        default=None,
        ge=1,
        description="Batches an epoch; null is one pass over the data within the next two limits.",
    )
    min_iterations: int = Field(
        default=40, ge=1, description="Batches of an epoch at least, however few the data."
    )
    max_iterations: int = Field(
        default=500, ge=1, description="Batches of an epoch at most, however many the data."
    )
    patience: int | None = Field(
        default=None, ge=1, description="Epochs without improvement before stopping; null: never."
    )
    monitor: Literal["log_loss", "auroc"] = Field(
        default="log_loss", description="Validation quantity whose best epoch is kept."
    )
    fixed_epochs: int = Field(
        default=10,
        ge=1,
        description="Epochs when fewer than 10 labels of a class rule out early stopping.",
    )
    optimizer: Literal["sgd", "adamw"] = Field(
        default="sgd", description="SGD with Nesterov momentum, or AdamW."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Nesterov momentum (sgd).")
    weight_decay: Decaying | Annotated[Distinct[Decaying], Field(min_length=1)] | None = Field(
        default=None,
        description="Decay of all weights; null: 2.5 / number of training encounters where "
        "training begins with untrained weights, 0.001 where it goes on.",
    )
    norm: Positive | OneOrMore | None = Field(
        default=None,
        description="Vectors are scaled to this mean norm while they are trained on, so that a "
        "learning rate means the same for all embeddings; null: they are taken as they are.",
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Dropout before the linear layer.")
    filters: int = Field(default=100, ge=1, description="Filters of the convolution.")
    class_weight: Literal["none", "balanced"] = Field(
        default="none",
        description="none keeps predicted probabilities calibrated; balanced weights each class "
        "by the inverse of its training frequency.",
    )

    @model_validator(mode="before")
    @classmethod
    def _protocol_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        protocols: dict[str, dict[str, Any]] = {
            "early_stopping": {
                "learning_rate": 0.01,
                "epochs": 60,
                "min_epochs": 10,
                "patience": 8,
                "norm": 5,
            },
            "gao2024": {
                "learning_rate": 1e-3,
                "epochs": 50,
                "iterations": 100,
                "weight_decay": 1e-3,
                "monitor": "auroc",
                "fixed_epochs": 50,
            },
        }
        return {**protocols.get(values.get("protocol", "early_stopping"), {}), **values}

    @model_validator(mode="after")
    def _limits_in_order(self) -> Training:
        if self.min_iterations > self.max_iterations:
            raise ValueError(
                f"min_iterations ({self.min_iterations}) exceeds max_iterations "
                f"({self.max_iterations})"
            )
        return self

    def epoch_length(self, a_pass: int) -> int:
        """Batches an epoch of data that a pass goes through in so many batches."""
        return self.iterations or min(max(a_pass, self.min_iterations), self.max_iterations)

    @model_validator(mode="after")
    def _chosen_by_cross_validation(self) -> Training:
        for key in CHOSEN:
            if self.protocol == "gao2024" and isinstance(getattr(self, key), list):
                raise ValueError(f"{key} is one number under protocol: gao2024, which chooses none")
        return self

    @property
    def rate_of_tuning(self) -> float | list[float]:
        """The learning rate of training that goes on from a handed-on model, or several."""
        if self.tuning_rate is not None:
            return self.tuning_rate
        if self.protocol == "gao2024":
            return self.learning_rate
        rates = several(self.learning_rate)
        return list(dict.fromkeys([*(rate / 10 for rate in rates), *rates]))

    def at_most(self, epochs: int | None) -> Training:
        """The same with no more than so many epochs (None: no fewer)."""
        if epochs is None:
            return self
        most = {key: min(epochs, getattr(self, key)) for key in ("epochs", "fixed_epochs")}
        return self.model_copy(update=most)

    def candidates(self, encounters: float, tuned: bool) -> Iterator[Training]:
        """The same with each learning rate, norm and weight decay that one fit may choose.

        encounters: how many train, counted by their weights; tuned: it goes on from a handed-on
        model. The loss is a mean, so a decay in inverse proportion to the encounters is one
        Gaussian prior of untrained weights, whatever their number.
        """
        decay = self.weight_decay
        if decay is None:
            decay = TUNED_DECAY if tuned else PRIOR_ENCOUNTERS / encounters
        rates = self.rate_of_tuning if tuned else self.learning_rate
        for values in product(several(rates), several(decay), several(self.norm)):
            keys = ("learning_rate", "weight_decay", "norm")
            yield self.model_copy(update=dict(zip(keys, values, strict=True)))


def several(values: Any) -> list[Any]:
    """The values of a setting that may be one or a list."""
    return values if isinstance(values, list) else [values]
