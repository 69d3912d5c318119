"""One-hot vectors: every token its own axis, the baseline that knows nothing of meaning."""

from __future__ import annotations

import numpy as np

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.scaling import describe_scale, scale_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.study import OneHotEmbedding


def embed(name: str, config: OneHotEmbedding, vocabulary: Vocabulary) -> EmbeddingTable:
    """The identity of [tokens, tokens], scaled as the config says."""
    identity = np.eye(len(vocabulary), dtype=np.float32)
    return EmbeddingTable.create(
        name,
        config.provider,
        scale_rows(identity, config.scale),
        vocabulary,
        scale=describe_scale(config.scale),
    )
