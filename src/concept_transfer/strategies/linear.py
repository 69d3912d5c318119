"""Tune the source model's last layer; what lies before it stays."""

from __future__ import annotations

from typing import Literal

from concept_transfer.strategies.strategy import (
    FREEZE,
    START,
    Plan,
    Situation,
    Stage,
    Strategy,
    StrategySettings,
)


class Linear(StrategySettings):
    """Tune the last layer of the source model."""

    kind: Literal["linear"]


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    return Plan((train,), validation, situation.model, (Stage(frozen=True),))


STRATEGY = Strategy(
    settings=Linear,
    summary="the source model's last layer tuned on the target, all before it frozen",
    plan=plan,
    starts_from_source=True,
    needs=frozenset({START, FREEZE}),
    look=("#E69F00", "^"),
)
