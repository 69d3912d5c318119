"""The providers that make an embedding of others: another length or width, joined, averaged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.embeddings.providers import Provider
from concept_transfer.settings.embeddings import EmbeddingSection
from concept_transfer.settings.scale import SCALE, Scale
from concept_transfer.settings.section import Name


class ScaledEmbedding(EmbeddingSection):
    """Another embedding at another row length."""

    provider: Literal["scaled"]
    of: Name = Field(description="Embedding whose rows are scaled.")
    scale: Scale = Field(description=SCALE)


class PcaEmbedding(EmbeddingSection):
    """The first principal components of another embedding: its width as an axis."""

    provider: Literal["pca"]
    of: Name = Field(description="Embedding that is projected.")
    width: int = Field(ge=1, description="Number of components.")
    scale: Scale = Field(default="raw", description=SCALE)


class ConcatenatedEmbedding(EmbeddingSection):
    """Rows of several embeddings side by side."""

    provider: Literal["concatenated"]
    of: list[Name] = Field(min_length=2, description="Embeddings, in order.")
    scale: Scale = Field(default="raw", description=SCALE)


class AverageEmbedding(EmbeddingSection):
    """Mean of several embeddings of one width."""

    provider: Literal["average"]
    of: list[Name] = Field(min_length=2, description="Embeddings of one width.")
    scale: Scale = Field(default="raw", description=SCALE)


class NegationEmbedding(EmbeddingSection):
    """Absent = present + one direction for all concepts, the mean of absent - present."""

    provider: Literal["negation"]
    of: Name = Field(description="Embedding whose absent rows are replaced.")
    strength: float = Field(
        default=1.0, gt=0, description="Length of the step, in mean differences."
    )
    scale: Scale = Field(default="raw", description=SCALE)


SCALED = Provider(
    settings=ScaledEmbedding,
    embed="concept_transfer.embeddings.derived:scaled",
    parents=("of",),
    rescales=True,
)
PCA = Provider(
    settings=PcaEmbedding, embed="concept_transfer.embeddings.derived:projected", parents=("of",)
)
CONCATENATED = Provider(
    settings=ConcatenatedEmbedding,
    embed="concept_transfer.embeddings.derived:concatenated",
    parents=("of",),
)
AVERAGE = Provider(
    settings=AverageEmbedding,
    embed="concept_transfer.embeddings.derived:averaged",
    parents=("of",),
)
NEGATION = Provider(
    settings=NegationEmbedding,
    embed="concept_transfer.embeddings.derived:negated",
    parents=("of",),
)
