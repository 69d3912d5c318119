"""Training settings as the config states them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from concept_transfer.settings.section import Section


class Training(Section):
    """How models are fitted; every field's default follows from the protocol."""

    protocol: Literal["early_stopping", "gao2024"] = Field(
        default="early_stopping",
        description="Whole epochs until validation stops improving, or the paper's fixed schedule.",
    )
    learning_rate: float = Field(gt=0, description="Step size of the optimizer.")
    batch_size: int = Field(default=32, ge=1, description="Encounters a step.")
    epochs: int = Field(ge=1, description="At most this many epochs.")
    iterations: int | None = Field(
        default=None, ge=1, description="Batches an epoch; null is one pass over the data."
    )
    patience: int | None = Field(
        default=None, ge=1, description="Epochs without improvement before stopping; null: never."
    )
    monitor: Literal["log_loss", "auroc"] = Field(
        default="log_loss", description="Validation quantity whose best epoch is kept."
    )
    fixed_epochs: int = Field(
        default=20,
        ge=1,
        description="Epochs when fewer than 10 labels of a class rule out early stopping.",
    )
    optimizer: Literal["sgd", "adamw"] = Field(
        default="sgd", description="SGD with Nesterov momentum, or AdamW."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Nesterov momentum (sgd).")
    weight_decay: float = Field(default=1e-3, ge=0, description="Decay of all weights.")
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
            "early_stopping": {"learning_rate": 0.03, "epochs": 60, "patience": 8},
            "gao2024": {
                "learning_rate": 1e-3,
                "epochs": 50,
                "iterations": 100,
                "monitor": "auroc",
                "fixed_epochs": 50,
            },
        }
        return {**protocols.get(values.get("protocol", "early_stopping"), {}), **values}
