"""The provider `one_hot`: every token its own axis."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from concept_transfer.embeddings.providers import Provider
from concept_transfer.settings.embeddings import EmbeddingSection
from concept_transfer.settings.scale import SCALE, Scale


class OneHotEmbedding(EmbeddingSection):
    """Baseline without meaning: every token is its own dimension."""

    provider: Literal["one_hot"]
    scale: Scale = Field(default="raw", description=SCALE)


ONE_HOT = Provider(
    settings=OneHotEmbedding,
    embed="concept_transfer.embeddings.one_hot:embed",
    check="concept_transfer.embeddings.one_hot:check",
    described=lambda embedding: "one dimension per token",
    is_reference=True,
)
