"""The source model with its log odds shifted and stretched to the target's labels.

Logistic recalibration (Cox 1958, Two further applications of a model for binary regression;
Steyerberg et al. 2004, Validation and updating of predictive logistic regression models).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from concept_transfer.strategies.strategy import (
    RECALIBRATE,
    Judged,
    Plan,
    Situation,
    Strategy,
    StrategySettings,
)

if TYPE_CHECKING:
    from concept_transfer.models.recalibration import Recalibration


class Recalibrated(StrategySettings):
    """Shift and stretch the log odds of the source model."""

    kind: Literal["recalibrated"]
    slope: bool = Field(
        default=True, description="Stretch the log odds too; false shifts them alone."
    )


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    return Plan((train,), validation, situation.model)


def recalibration(settings: Recalibrated, judged: Judged) -> Recalibration:
    from concept_transfer.models.recalibration import recalibrated

    assert judged.labels is not None
    return recalibrated(judged.probability, judged.labels, settings.slope)


def details(settings: Recalibrated) -> list[str]:
    return ["intercept and slope" if settings.slope else "intercept alone"]


STRATEGY = Strategy(
    settings=Recalibrated,
    summary="the source model recalibrated on the target",
    plan=plan,
    starts_from_source=True,
    needs=frozenset({RECALIBRATE}),
    recalibration=recalibration,
    details=details,
)
