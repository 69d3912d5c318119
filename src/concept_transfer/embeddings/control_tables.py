"""Providers `shuffled` and `random`: the parent's vectors, marked to be drawn per replicate."""

from __future__ import annotations

import dataclasses

from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.settings.embeddings import RandomEmbedding, ShuffledEmbedding


def embed(
    name: str, config: ShuffledEmbedding | RandomEmbedding, parent: EmbeddingTable
) -> EmbeddingTable:
    """A table with the parent's vectors; `vectors_for` draws the control from them."""
    card = dataclasses.replace(
        parent.card,
        name=name,
        provider=config.provider,
        control=config.provider,
        details={"parent": parent.card.name},
    )
    return EmbeddingTable(parent.vectors, card)
