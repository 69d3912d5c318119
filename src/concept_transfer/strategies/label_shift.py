"""The source model corrected for how frequent the classes are at the target, without labels.

Saerens, Latinne, Decaestecker 2002, Adjusting the outputs of a classifier to new a priori
probabilities, Neural Computation 14: classes are taken to look alike at both sites.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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


class LabelShift(StrategySettings):
    """Correct the source model for the frequency of the classes at the target."""

    kind: Literal["label_shift"]


def plan(situation: Situation) -> Plan:
    return Plan((), start=situation.model)


def recalibration(settings: LabelShift, judged: Judged) -> Recalibration:
    from concept_transfer.models.recalibration import shifted_prior

    return shifted_prior(judged.probability, judged.prior)


STRATEGY = Strategy(
    settings=LabelShift,
    summary="the source model corrected for the frequency of the classes among the target's "
    "unlabelled encounters",
    plan=plan,
    uses_labels=False,
    uses_encounters=True,
    starts_from_source=True,
    uses_source=True,
    needs=frozenset({RECALIBRATE}),
    recalibration=recalibration,
)
