"""The method `fisher`: how unlikely it is by chance that so many have both codes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Fisher(MethodSettings):
    """Fisher's exact test, one-sided."""

    kind: Literal["fisher"]
    mid: bool = Field(
        default=False, description="Count the observed table by half (mid-p, less conservative)."
    )


def scores(settings: Fisher, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.matrices import symmetric
    from concept_transfer.interconnections.statistics import log_p_together

    return symmetric(learned.counts, lambda tables: -log_p_together(tables, settings.mid))


METHOD = Method(
    settings=Fisher,
    title="Fisher's exact test",
    methods=lambda settings: (
        "the p-value of Fisher's exact test, one-sided" + (", by mid-p" if settings.mid else "")
    ),
    scores=scores,
)
