"""Tune the source model from its last layer down, lower layers at lower rates.

Discriminative fine-tuning and gradual unfreezing (Howard, Ruder 2018, Universal language model
fine-tuning for text classification, ACL, arXiv 1801.06146): the last layer alone for an epoch, then
all layers, of which each is trained at 1 / 2.6 of the rate of the one above.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.strategies.strategy import (
    FREEZE,
    RATES,
    START,
    Plan,
    Situation,
    Stage,
    Strategy,
    StrategySettings,
)


class Discriminative(StrategySettings):
    """Tune the last layer first, then all layers, those before the last at a lower rate."""

    kind: Literal["discriminative"]
    ratio: float = Field(
        default=2.6, ge=1, description="Rate of the last layer over that of those before it."
    )
    frozen_epochs: int = Field(
        default=1, ge=1, description="Epochs of the last layer alone, before all are trained."
    )


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    settings = situation.settings
    stages = (
        Stage(frozen=True, epochs=settings.frozen_epochs),
        Stage(body_rate=1 / settings.ratio),
    )
    return Plan((train,), validation, situation.model, stages)


def details(settings: Discriminative) -> list[str]:
    epochs = "1 epoch" if settings.frozen_epochs == 1 else f"{settings.frozen_epochs} epochs"
    return [f"the last layer alone for {epochs}", f"then at {settings.ratio:g} times the rate"]


STRATEGY = Strategy(
    settings=Discriminative,
    summary="the source model's last layer tuned on the target for a while, then all layers, those "
    "before the last at a lower rate",
    plan=plan,
    starts_from_source=True,
    needs=frozenset({START, FREEZE, RATES}),
    details=details,
)
