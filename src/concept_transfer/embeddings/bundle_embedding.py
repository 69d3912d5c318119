"""The provider `bundle`: the vectors that came with a model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from concept_transfer.embeddings.providers import Provider
from concept_transfer.settings.embeddings import EmbeddingSection


class BundleEmbedding(EmbeddingSection):
    """The vectors that came with a bundle, for the embedding of the same name."""

    provider: Literal["bundle"]
    path: str = Field(description="Folder of a bundle, or of several, in folders below it.")


def files(name: str, embedding: BundleEmbedding, root: Path) -> list[Path]:
    """The table's file, and its card."""
    from concept_transfer.embeddings.from_bundle import table_of

    path = table_of(name, root / embedding.path)
    return [path, path.with_suffix(".json")]


BUNDLE = Provider(
    settings=BundleEmbedding,
    embed="concept_transfer.embeddings.from_bundle:embed",
    check="concept_transfer.embeddings.from_bundle:embed",
    files="concept_transfer.embeddings.bundle_embedding:files",
    paths=("path",),
    described=lambda embedding: f"the vectors that came with the models in {embedding.path}",
)
