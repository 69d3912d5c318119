"""The method `jaccard`: Jaccard index."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Jaccard(MethodSettings):
    """Patients with both codes, of those with either."""

    kind: Literal["jaccard"]


def scores(settings: Jaccard, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.matrices import symmetric

    return symmetric(
        learned.counts,
        lambda tables: tables.both / (tables.one + tables.other - tables.both),
    )


METHOD = Method(
    settings=Jaccard,
    title="Jaccard index",
    methods=lambda settings: "the Jaccard index",
    scores=scores,
)
