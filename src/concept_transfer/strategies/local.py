"""Target encounters alone; source models are trained likewise, at their own site."""

from __future__ import annotations

from typing import Literal

from concept_transfer.strategies.strategy import Plan, Situation, Strategy, StrategySettings


class Local(StrategySettings):
    """Train on the target's encounters alone."""

    kind: Literal["local"]


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    return Plan((train,), validation)


STRATEGY = Strategy(
    settings=Local,
    summary="trained on the target only",
    plan=plan,
    look=("#000000", "o"),
)
