"""The method `shrunken`: observed over expected counts, shrunken by what all pairs show."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings
from concept_transfer.settings.section import Distinct


class Shrunken(MethodSettings):
    """Ratios of observed to expected counts with a prior that pairs together tell; pairs are
    ranked by the evidence against chance that as many other patients are expected to give."""

    kind: Literal["shrunken"]
    by: Distinct[Literal["age", "sex"]] = Field(
        default=[], description="Counts are those expected within these groups."
    )
    company: bool = Field(
        default=True,
        description="The prior of a pair depends on how alike the other codes are that either "
        "comes with; false: one prior for all pairs.",
    )


def scores(settings: Shrunken, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.counts import all_pairs, expected_within
    from concept_transfer.interconnections.matrices import from_pairs
    from concept_transfer.interconnections.shrinkage import (
        by_company,
        evidence_to_come,
        shrunken_log_ratios,
    )

    pairs = all_pairs(len(learned.nodes))
    expected = expected_within(learned.strata(tuple(settings.by)))[pairs]
    observed = learned.counts.together[pairs].astype(float)
    ratio = shrunken_log_ratios(observed, expected)
    if settings.company:
        group = by_company(ratio, len(learned.nodes))
        ratio = shrunken_log_ratios(observed, expected, group)
    return from_pairs(evidence_to_come(ratio, expected), len(learned.nodes))


METHOD = Method(
    settings=Shrunken,
    title="shrunken ratio",
    methods=lambda settings: (
        "the ratio of observed to expected counts"
        + (f" within groups of {' and '.join(settings.by)}" if settings.by else "")
        + ", shrunken by nonparametric empirical Bayes (Kiefer and Wolfowitz 1956)"
        + (
            " with a prior for every degree to which both come with the same other codes"
            if settings.company
            else ""
        )
        + ", ranked by the evidence against chance that as many other patients are expected to give"
    ),
    scores=scores,
)
