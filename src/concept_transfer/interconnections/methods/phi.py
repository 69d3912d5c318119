"""The method `phi`: phi coefficient."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.counts import Margins
from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Phi(MethodSettings):
    """Correlation of two codes."""

    kind: Literal["phi"]


def scores(settings: Phi, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.matrices import symmetric

    def score(tables: Margins) -> NDArray[np.float64]:
        m, k, n = tables.one, tables.other, tables.rows
        spread = np.sqrt(m * (n - m) * k * (n - k))
        return np.asarray((tables.both * n - m * k) / spread)

    return symmetric(learned.counts, score)


METHOD = Method(
    settings=Phi,
    title="phi coefficient",
    methods=lambda settings: "the phi coefficient",
    scores=scores,
)
