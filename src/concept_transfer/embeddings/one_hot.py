"""One-hot vectors: every token its own axis, the baseline that knows nothing of meaning."""

from __future__ import annotations

import numpy as np

from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.scaling import describe_scale, scale_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError

MOST_TOKENS = 1 << 15  # the table has as many columns as rows: 4 GB


def check(request: Request) -> None:
    """Refuse a vocabulary whose table would not fit in memory (StudyError)."""
    vocabulary = request.vocabulary
    if len(vocabulary) > MOST_TOKENS:
        raise StudyError(
            f"embeddings.{request.name}: one-hot vectors of {len(vocabulary):,} tokens would be a "
            f"table of {4 * len(vocabulary) ** 2 / 1e9:.0f} GB; up to {MOST_TOKENS:,} tokens are "
            "accepted. "
            "The classifier 'logistic' uses the same findings without such a table, and "
            "'provider: random' is a control of any width"
        )


def embed(request: Request) -> EmbeddingTable:
    """The identity of [tokens, tokens], scaled as the config says."""
    check(request)
    config = request.config
    identity = np.eye(len(request.vocabulary), dtype=np.float32)
    return EmbeddingTable.create(
        request.name,
        config.provider,
        scale_rows(identity, config.scale),
        request.vocabulary,
        scale=describe_scale(config.scale),
    )
