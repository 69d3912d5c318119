"""The providers `random` and `shuffled`: another embedding without its meaning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.embeddings.providers import Provider
from concept_transfer.settings.embeddings import EmbeddingSection
from concept_transfer.settings.section import Name


class RandomEmbedding(EmbeddingSection):
    """Control: Gaussian rows of the width and row norms of another embedding."""

    provider: Literal["random"]
    like: Name = Field(description="Embedding whose width and row norms are copied.")


class ShuffledEmbedding(EmbeddingSection):
    """Control: the vectors of another embedding, concepts permuted, states kept together."""

    provider: Literal["shuffled"]
    of: Name = Field(description="Embedding whose rows are permuted.")


RANDOM = Provider(
    settings=RandomEmbedding,
    embed="concept_transfer.embeddings.control_tables:embed",
    parents=("like",),
    control="random",
    described=lambda embedding: f"Gaussian vectors with the width and norms of {embedding.like}",
)
SHUFFLED = Provider(
    settings=ShuffledEmbedding,
    embed="concept_transfer.embeddings.control_tables:embed",
    parents=("of",),
    control="shuffled",
    described=lambda embedding: f"the vectors of {embedding.of}, concepts permuted",
)
