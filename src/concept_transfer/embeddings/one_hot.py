"""One-hot vectors: every token its own axis, the baseline that knows nothing of meaning."""

from __future__ import annotations

import numpy as np

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.scaling import describe_scale, scale_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.settings.embeddings import OneHotEmbedding

MOST_TOKENS = 1 << 15  # the table has as many columns as rows: 4 GB


def check(name: str, vocabulary: Vocabulary) -> None:
    """Refuse a vocabulary whose table would not fit in memory (StudyError)."""
    if len(vocabulary) > MOST_TOKENS:
        raise StudyError(
            f"embeddings.{name}: one-hot vectors of {len(vocabulary):,} tokens would be a table of "
            f"{4 * len(vocabulary) ** 2 / 1e9:.0f} GB; up to {MOST_TOKENS:,} tokens are accepted. "
            "The classifier 'logistic' uses the same findings without such a table, and "
            "'provider: random' is a control of any width"
        )


def embed(name: str, config: OneHotEmbedding, vocabulary: Vocabulary) -> EmbeddingTable:
    """The identity of [tokens, tokens], scaled as the config says."""
    check(name, vocabulary)
    identity = np.eye(len(vocabulary), dtype=np.float32)
    return EmbeddingTable.create(
        name,
        config.provider,
        scale_rows(identity, config.scale),
        vocabulary,
        scale=describe_scale(config.scale),
    )
