"""The method `marginals`: codes that are frequent meet often, whatever they mean."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Marginals(MethodSettings):
    """The product of two codes' frequencies, a control: it knows nothing of the pair."""

    kind: Literal["marginals"]


def scores(settings: Marginals, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.matrices import symmetric

    return symmetric(learned.counts, lambda tables: tables.expected)


METHOD = Method(
    settings=Marginals,
    title="frequencies alone",
    methods=lambda settings: "the product of two codes' frequencies, as a control",
    scores=scores,
    control=True,
)
