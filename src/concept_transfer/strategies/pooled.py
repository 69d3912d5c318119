"""Source and target encounters together; validated on the target alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.strategies.strategy import Plan, Situation, Strategy, StrategySettings


class Pooled(StrategySettings):
    """Train on source and target encounters together."""

    kind: Literal["pooled"]
    source_weight: float = Field(
        default=1.0, gt=0, description="Weight of a source encounter in the loss."
    )


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    return Plan((train, situation.source_part(situation.settings.source_weight)), validation)


def details(settings: Pooled) -> list[str]:
    weight = settings.source_weight
    return [] if weight == 1 else [f"weight {weight:g} for a source encounter"]


STRATEGY = Strategy(
    settings=Pooled,
    summary="trained on source and target together",
    plan=plan,
    uses_source=True,
    details=details,
    look=("#009E73", "v"),
)
