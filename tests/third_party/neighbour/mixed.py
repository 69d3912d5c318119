"""The strategy `mixed`: source and target together, in a fixed proportion."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from concept_transfer.strategies.strategy import Plan, Situation, Strategy, StrategySettings


class Mixed(StrategySettings):
    """Train on source and target encounters, of which the source has a fixed share."""

    kind: Literal["mixed"]
    source_share: float = Field(
        default=0.5, gt=0, lt=1, description="Share of the loss that the source's encounters have."
    )


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    source, share = situation.source_part(1.0), situation.settings.source_share
    odds = share / (1 - share)
    weight = odds * train.rows.shape[1] / source.rows.shape[1]
    return Plan((train, replace(source, weight=weight)), validation)


def details(settings: Mixed) -> list[str]:
    return [f"{settings.source_share:.0%} of the loss from the source"]


STRATEGY = Strategy(
    settings=Mixed,
    summary="trained on source and target in a fixed proportion",
    plan=plan,
    uses_source=True,
    details=details,
)
