"""Tune all weights of the source model while they decay towards where they started.

L2-SP (Li, Grandvalet, Davoine 2018, Explicit inductive bias for transfer learning with
convolutional networks, ICML): the penalty is strength / 2 times the squared distance from the
source's weights, in place of weight decay towards zero.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from concept_transfer.strategies.strategy import (
    DECAY,
    START,
    Decay,
    Plan,
    Situation,
    Strategy,
    StrategySettings,
)

STRENGTHS = (0.1, 1.0, 0.01)


class L2SP(StrategySettings):
    """Tune all layers of the source model, held to its weights."""

    kind: Literal["l2_sp"]
    strength: float | None = Field(
        default=None,
        ge=0,
        description="Decay towards the source's weights, in place of to zero; null is the one of "
        "0.1, 1 and 0.01 that predicts held-out labelled encounters best.",
    )


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    decay = Decay(from_start, situation.settings.strength)
    return Plan((train,), validation, situation.model, decay=decay)


def from_start(parameters: Any, start: Any) -> Any:
    return parameters - start


def details(settings: L2SP) -> list[str]:
    if settings.strength is None:
        return [f"strength chosen among {', '.join(f'{each:g}' for each in STRENGTHS)}"]
    return [f"strength {settings.strength:g}"]


STRATEGY = Strategy(
    settings=L2SP,
    summary="all layers of the source model tuned on the target, decaying towards its weights",
    plan=plan,
    starts_from_source=True,
    needs=frozenset({START, DECAY}),
    details=details,
    choices={"strength": STRENGTHS},
)
