"""Tune the source model by an update of low rank.

LoRA (Hu et al. 2021, LoRA: low-rank adaptation of large language models, ICLR 2022, arXiv
2106.09685): the source's weights W stay, and the factors of an update W + A B are trained; the last
layer, which has as many rows as there are classes, is trained itself.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.strategies.strategy import (
    LOW_RANK,
    START,
    Plan,
    Situation,
    Stage,
    Strategy,
    StrategySettings,
)


class LowRank(StrategySettings):
    """Tune the source model's last layer, and by an update of low rank the layers before it."""

    kind: Literal["low_rank"]
    rank: int = Field(default=4, ge=1, description="Rank of the update.")


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    stages = (Stage(rank=situation.settings.rank),)
    return Plan((train,), validation, situation.model, stages)


def details(settings: LowRank) -> list[str]:
    return [f"rank {settings.rank}"]


STRATEGY = Strategy(
    settings=LowRank,
    summary="the source model tuned on the target by an update of low rank, its last layer in full",
    plan=plan,
    starts_from_source=True,
    needs=frozenset({START, LOW_RANK}),
    details=details,
)
