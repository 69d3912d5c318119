"""The method `embedding`: how alike two codes' vectors are."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.interconnections.methods.method import Learned, Method, MethodSettings


class EmbeddingSimilarity(MethodSettings):
    """Cosines of vectors of an embedding of the study: of the codes' names where its provider can
    embed any text, else of the vocabulary's concepts."""

    kind: Literal["embedding"]
    of: str = Field(description="An embedding of the study; a control is one here too.")


def scores(settings: EmbeddingSimilarity, learned: Learned) -> NDArray[np.float64]:
    from concept_transfer.interconnections.matrices import cosines

    return cosines(learned.vectors[settings.of])


METHOD = Method(
    settings=EmbeddingSimilarity,
    title="embedding",
    methods=lambda settings: f"the cosine of two codes' vectors by {settings.of}",
    scores=scores,
    learns=False,
    embeddings=lambda settings: (settings.of,),
)
