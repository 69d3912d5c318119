"""The method `cooccurrence`: codes that come with the same others (shifted PPMI, factorised)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Cooccurrence(MethodSettings):
    """Cosines of vectors that a factorisation of positive mutual information gives (Levy and
    Goldberg 2014)."""

    kind: Literal["cooccurrence"]
    width: int = Field(default=64, ge=1, description="Numbers a vector.")
    shift: float = Field(default=0.0, ge=0, description="Taken off mutual information (log k).")


def scores(settings: Cooccurrence, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.factors import ppmi_vectors
    from concept_transfer.interconnections.matrices import cosines

    return cosines(ppmi_vectors(learned.counts, settings.width, settings.shift))


METHOD = Method(
    settings=Cooccurrence,
    title="co-occurrence vectors",
    methods=lambda settings: (
        f"cosines of vectors of {settings.width} numbers that factorise "
        "positive mutual information (Levy and Goldberg 2014)"
    ),
    scores=scores,
)
