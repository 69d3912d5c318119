"""From texts to a table: what all providers share that read a token's text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings import catalogue
from concept_transfer.embeddings.openai_embedding import OpenAIEmbedding
from concept_transfer.embeddings.scaling import describe_scale, scale_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.embeddings.texts import TokenTexts
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding


def text_table(
    name: str,
    config: TransformersEmbedding | OpenAIEmbedding,
    vocabulary: Vocabulary,
    texts: TokenTexts,
    vectors: NDArray[np.float32],
    *,
    details: Mapping[str, Any] | None = None,
    **facts: Any,
) -> EmbeddingTable:
    """Scale the tokens' vectors and fill in the card, with what a catalogue entry asks to cite."""
    noted: dict[str, Any] = {"prompt": config.prompt, **(details or {})}
    if config.catalogue is not None:
        entry = catalogue.read(config.catalogue)
        noted |= {key: entry[key] for key in ("title", "licence", "citation")}
    return EmbeddingTable.create(
        name,
        config.provider,
        scale_rows(vectors, config.scale),
        vocabulary,
        texts=texts.digest,
        model=config.model,
        scale=describe_scale(config.scale),
        details=noted,
        **facts,
    )
