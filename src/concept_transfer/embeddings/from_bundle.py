"""Vectors taken from a model bundle."""

from __future__ import annotations

from pathlib import Path

from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError, choices
from concept_transfer.models.bundle import CARD, TABLE, read_card


def table_of(name: str, folder: Path) -> Path:
    """The table of the first bundle in or below a folder whose models have the embedding `name`.

    Raises StudyError that lists the embeddings that are there.
    """
    known = set()
    for card in sorted(folder.rglob(CARD)):
        embedding = read_card(card.parent).embedding
        if embedding == name and (card.parent / TABLE).is_file():
            return card.parent / TABLE
        known.add(embedding)
    raise StudyError(
        f"embeddings.{name}: no bundle in {folder} has vectors of this name; it has "
        f"{choices(known) or 'no bundle at all'} ('none' is a model without vectors)"
    )


def embed(request: Request) -> EmbeddingTable:
    """The table as it came. Raises StudyError where it is of another vocabulary."""
    return EmbeddingTable.read(
        table_of(request.name, request.root / request.config.path), request.vocabulary
    )
