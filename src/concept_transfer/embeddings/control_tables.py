"""Providers `shuffled` and `random`: the parent's vectors, marked to be drawn per replicate."""

from __future__ import annotations

import dataclasses

from concept_transfer.embeddings.providers import PROVIDERS, Request
from concept_transfer.embeddings.table import EmbeddingTable


def embed(request: Request) -> EmbeddingTable:
    """A table with the parent's vectors; `vectors_for` draws the control from them."""
    (parent,) = request.parents
    provider = request.config.provider
    card = dataclasses.replace(
        parent.card,
        name=request.name,
        provider=provider,
        control=PROVIDERS[provider].control,
        details={"parent": parent.card.name},
    )
    return EmbeddingTable(parent.vectors, card)
