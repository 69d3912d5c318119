"""Source encounters weighted by how much they are like the target's, without labels.

Importance weighting under covariate shift, flattened by a power (Shimodaira 2000,
doi:10.1016/S0378-3758(00)00115-4), with the density ratio from a classifier of the two sites
(Bickel, Bruckner, Scheffer 2009, JMLR 10). Penalties and epochs are chosen by the weighted loss on
source encounters that were not trained on (Sugiyama, Krauledat, Müller 2007, JMLR 8).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from concept_transfer.strategies.strategy import Plan, Situation, Strategy, StrategySettings


class ImportanceWeighted(StrategySettings):
    """Train on the source's encounters, those weighted more that are like the target's."""

    kind: Literal["importance_weighted"]
    effective: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Share of the source's encounters that the weights are worth at least, counted "
        "as encounters of equal weight: 0 never flattens them, 1 weighs all alike.",
    )


def plan(situation: Situation) -> Plan:
    from concept_transfer.training.importance import importance_weights

    train, validation = situation.source_labelled
    rows = np.concatenate([train.rows[0], validation.rows[0]])
    pool = situation.unlabelled
    weight = importance_weights(
        train.site, rows, pool.site, pool.rows[0], situation.settings.effective
    )
    return Plan((replace(train, weight=weight),), replace(validation, weight=weight))


def details(settings: ImportanceWeighted) -> list[str]:
    return [f"worth {settings.effective:.0%} of its encounters at least"]


STRATEGY = Strategy(
    settings=ImportanceWeighted,
    summary="trained on the source, each encounter weighted by how much likelier its findings are "
    "at the target, as a cross-fitted logistic regression tells the two sites apart",
    plan=plan,
    uses_labels=False,
    uses_encounters=True,
    uses_source=True,
    details=details,
)
