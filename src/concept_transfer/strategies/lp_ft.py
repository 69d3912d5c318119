"""Tune the last layer of the source model, then all layers.

LP-FT (Kumar, Raghunathan, Jones, Ma, Liang 2022, Fine-tuning can distort pretrained features and
underperform out-of-distribution, ICLR, arXiv 2202.10054): with a last layer that already fits the
target, tuning all layers changes the source's features less.
"""

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


class LPFT(StrategySettings):
    """Linear probing, then tuning of all layers (LP-FT)."""

    kind: Literal["lp_ft"]


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    return Plan((train,), validation, situation.model, (Stage(frozen=True), Stage()))


STRATEGY = Strategy(
    settings=LPFT,
    summary="the source model's last layer tuned on the target, then all layers",
    plan=plan,
    starts_from_source=True,
    needs=frozenset({START, FREEZE}),
)
