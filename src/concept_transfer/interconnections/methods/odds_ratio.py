"""The method `odds_ratio`: how much more often a code comes with the other, in like patients."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings
from concept_transfer.settings.section import Distinct


class OddsRatio(MethodSettings):
    """Odds ratios common to groups of age and sex (Mantel-Haenszel)."""

    kind: Literal["odds_ratio"]
    by: Distinct[Literal["age", "sex"]] = Field(
        default=["age", "sex"], description="Groups within which patients are compared."
    )
    rank: Literal["estimate", "lower"] = Field(
        default="lower",
        description="Rank pairs by the odds ratio, or by the lower end of its interval.",
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Level of that interval.")


def scores(settings: OddsRatio, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.counts import all_pairs
    from concept_transfer.interconnections.matrices import from_pairs
    from concept_transfer.interconnections.statistics import pooled_odds_ratios

    pairs = all_pairs(len(learned.nodes))
    strata = learned.strata(tuple(settings.by))
    found = pooled_odds_ratios(part.of_pairs(pairs) for part in strata)
    if settings.rank == "estimate":
        return from_pairs(found.log, len(learned.nodes))
    lower, _ = found.bounds(settings.confidence)
    with np.errstate(divide="ignore"):
        values = np.where(np.isneginf(found.log), -np.inf, np.log(lower))
    return from_pairs(values, len(learned.nodes))


METHOD = Method(
    settings=OddsRatio,
    title="odds ratio",
    methods=lambda settings: (
        ("the lower end of the interval of " if settings.rank == "lower" else "")
        + "the Mantel-Haenszel odds ratio"
        + (f" within groups of {' and '.join(settings.by)}" if settings.by else "")
    ),
    scores=scores,
)
