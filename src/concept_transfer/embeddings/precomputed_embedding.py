"""The provider `precomputed`: vectors that somebody published."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.embeddings.providers import Provider
from concept_transfer.settings.embeddings import EmbeddingSection
from concept_transfer.settings.scale import SCALE, Scale


class PrecomputedEmbedding(EmbeddingSection):
    """Vectors somebody published: HDF5, NPZ, Parquet or word2vec text."""

    provider: Literal["precomputed"]
    path: str = Field(description="File of the vectors; its suffix says the format.")
    crosswalk: str | None = Field(
        default=None,
        description="TSV with columns key, concept, state, for keys that no rule matches.",
    )
    missing: Literal["error", "zero", "mean", "nearest"] = Field(
        default="error",
        description="Tokens without a vector: an error that lists them, a zero row, the mean of "
        "all matched rows, or the row of the concept with the most similar name.",
    )
    scale: Scale = Field(default="raw", description=SCALE)


PRECOMPUTED = Provider(
    settings=PrecomputedEmbedding,
    embed="concept_transfer.embeddings.precomputed:embed",
    check="concept_transfer.embeddings.precomputed:check",
    paths=("path", "crosswalk"),
    reads_words=True,
    described=lambda embedding: f"published vectors, {embedding.path}",
)
