"""The source model as it came; no label of the target is used."""

from __future__ import annotations

from typing import Literal

from concept_transfer.strategies.strategy import Plan, Situation, Strategy, StrategySettings


class Direct(StrategySettings):
    """Use the source model unchanged."""

    kind: Literal["direct"]


def plan(situation: Situation) -> Plan:
    return Plan((), start=situation.model)


STRATEGY = Strategy(
    settings=Direct,
    summary="the source model applied to the target unchanged",
    plan=plan,
    uses_labels=False,
    starts_from_source=True,
    look=("#0072B2", "s"),
)
