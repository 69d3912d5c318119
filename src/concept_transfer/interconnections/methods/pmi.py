"""The method `pmi`: pointwise mutual information, with patients added who show nothing."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.interconnections.counts import Margins
from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class Pmi(MethodSettings):
    """Logarithm of observed over expected counts."""

    kind: Literal["pmi"]
    added: float = Field(
        default=5.0,
        ge=0,
        description="Patients added to either count, which draws rare pairs towards chance.",
    )


def scores(settings: Pmi, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.matrices import symmetric

    def score(tables: Margins) -> NDArray[np.float64]:
        observed, expected = tables.both + settings.added, tables.expected + settings.added
        return np.asarray(np.log(observed / expected))

    return symmetric(learned.counts, score)


METHOD = Method(
    settings=Pmi,
    title="mutual information",
    methods=lambda settings: (
        "pointwise mutual information"
        + (f", with {settings.added:g} patients added to either count" if settings.added else "")
    ),
    scores=scores,
)
