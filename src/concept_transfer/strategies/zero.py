"""A pre-trained model that reads the outcome's own codes; no label is used anywhere.

He et al. 2025 (arXiv 2501.02044) predict a disease as the code that a patient's next visit would
hold. Asked before any tuning, the encoder alone ranks patients: what a tuned model reaches beyond
that its labels have taught it.
"""

from __future__ import annotations

from typing import Literal

from concept_transfer.strategies.strategy import (
    ZERO,
    Plan,
    Situation,
    Strategy,
    StrategySettings,
)


class Zero(StrategySettings):
    """Read the outcome's codes from the pre-trained model."""

    kind: Literal["zero"]


def plan(situation: Situation) -> Plan:
    return Plan(())


STRATEGY = Strategy(
    settings=Zero,
    summary="the pre-trained model's probability of the outcome's codes, without any label",
    plan=plan,
    uses_labels=False,
    needs=frozenset({ZERO}),
)
