"""The method `lift`: observed over expected counts."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Lift(MethodSettings):
    """Observed over expected counts, as they are."""

    kind: Literal["lift"]


def scores(settings: Lift, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.matrices import symmetric

    return symmetric(
        learned.counts,
        lambda tables: tables.both / tables.expected,
    )


METHOD = Method(
    settings=Lift,
    title="lift",
    methods=lambda settings: "the ratio of observed to expected counts (lift)",
    scores=scores,
)
