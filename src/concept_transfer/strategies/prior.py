"""The source model's score as prior mean; what the target's labels add is learned beside it.

The log odds are those of the source model but for an intercept and a slope (Cox 1958,
doi:10.1093/biomet/45.3-4.562), plus a function of the findings with mean zero: transfer by
modelling the residual, as offsets do in Bayesian and penalised regression (Li, Cai, Li 2022,
doi:10.1111/rssb.12479).
"""

from __future__ import annotations

from typing import Literal

from concept_transfer.strategies.strategy import (
    PRIOR,
    Plan,
    Situation,
    Strategy,
    StrategySettings,
)


class Prior(StrategySettings):
    """Take the source model's score as prior mean, recalibrated, and learn what it lacks."""

    kind: Literal["prior"]


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    return Plan((train,), validation, situation.model)


STRATEGY = Strategy(
    settings=Prior,
    summary="the recalibrated source model as prior mean of a model of the target",
    plan=plan,
    starts_from_source=True,
    needs=frozenset({PRIOR}),
)
