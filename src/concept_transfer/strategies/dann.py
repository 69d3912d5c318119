"""Source labels, and features by which the source and the unlabelled target cannot be told apart.

DANN (Ganin et al. 2016, Domain-adversarial training of neural networks, JMLR 17, 1-35). The
reversed gradient grows as in the paper, over the epochs that are never kept (`min_epochs` of the
section `training`); afterwards the source's validation encounters choose the epoch. The opponent is
the paper's for shallow networks; its strength is small, because with a large one training diverges.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.strategies.strategy import (
    ADVERSARY,
    Adversary,
    Plan,
    Situation,
    Strategy,
    StrategySettings,
)


class DANN(StrategySettings):
    """Train on the source's labels against an opponent that tells the two sites apart (DANN)."""

    kind: Literal["dann"]
    strength: float = Field(
        default=0.03, ge=0, description="Weight of the opponent's gradient, reversed; 0 ignores it."
    )


def plan(situation: Situation) -> Plan:
    train, validation = situation.source_labelled
    opponent = Adversary(situation.unlabelled, situation.settings.strength)
    return Plan((train,), validation, adversary=opponent)


def details(settings: DANN) -> list[str]:
    return [f"strength {settings.strength:g}"]


STRATEGY = Strategy(
    settings=DANN,
    summary="trained on the source while a logistic regression on the pooled features tells its "
    "encounters from the target's unlabelled ones, and its gradient, reversed, trains the features",
    plan=plan,
    uses_labels=False,
    uses_encounters=True,
    uses_source=True,
    needs=frozenset({ADVERSARY}),
    details=details,
)
