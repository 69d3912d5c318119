"""Source and target encounters together; validated on the target alone.

How much a source encounter counts is chosen by cross-validation on the target, as in transfer by
weighted likelihoods (Hu, Zidek 2002, The weighted likelihood, Canadian Journal of Statistics 30,
doi:10.2307/3316141): from all that it says, where the sites are alike, to next to nothing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.strategies.strategy import Plan, Situation, Strategy, StrategySettings

WEIGHTS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


class Pooled(StrategySettings):
    """Train on source and target encounters together."""

    kind: Literal["pooled"]
    source_weight: float | None = Field(
        default=None,
        gt=0,
        description="Weight of a source encounter in the loss; null is the one between 1 and "
        "0.001 that predicts the target's labelled encounters best in cross-validation.",
    )


def plan(situation: Situation) -> Plan:
    train, validation = situation.labelled
    return Plan((train, situation.source_part(situation.settings.source_weight)), validation)


def details(settings: Pooled) -> list[str]:
    weight = settings.source_weight
    if weight is None:
        return [f"weight of a source encounter chosen among {', '.join(f'{w:g}' for w in WEIGHTS)}"]
    return [] if weight == 1 else [f"weight {weight:g} for a source encounter"]


STRATEGY = Strategy(
    settings=Pooled,
    summary="trained on source and target together",
    plan=plan,
    uses_source=True,
    details=details,
    look=("#009E73", "v"),
    choices={"source_weight": WEIGHTS},
)
