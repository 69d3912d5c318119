"""Tune all weights of the source model."""

from __future__ import annotations

from typing import Literal

from concept_transfer.strategies.strategy import (
    START,
    Plan,
    Situation,
    Strategy,
    StrategySettings,
)


class Full(StrategySettings):
    """Tune all layers of the source model."""

    kind: Literal["full"]


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    return Plan((train,), validation, situation.model)


STRATEGY = Strategy(
    settings=Full,
    summary="all layers of the source model tuned on the target",
    plan=plan,
    starts_from_source=True,
    needs=frozenset({START}),
    look=("#D55E00", "D"),
)
