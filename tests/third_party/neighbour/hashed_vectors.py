"""Makes digests into vectors."""

from __future__ import annotations

import hashlib

import numpy as np

from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.table import EmbeddingTable


def embed(request: Request) -> EmbeddingTable:
    width = request.config.width
    digests = [hashlib.sha256(text.encode()).digest()[:width] for text in request.vocabulary.texts]
    vectors = np.array([list(digest) for digest in digests], np.float32) / 255
    return EmbeddingTable.create(request.name, "hashed", vectors, request.vocabulary)
