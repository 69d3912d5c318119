"""The provider `hashed`: every number of a vector from the digest of a token's text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.embeddings.providers import Provider
from concept_transfer.settings.embeddings import EmbeddingSection


class HashedEmbedding(EmbeddingSection):
    """Digests of texts, which mean nothing and are always the same."""

    provider: Literal["hashed"]
    width: int = Field(default=8, ge=1, le=32, description="Numbers a vector.")


HASHED = Provider(
    settings=HashedEmbedding,
    embed="neighbour.hashed_vectors:embed",
    described=lambda embedding: f"digests of {embedding.width} bytes",
    reads_words=True,
)
