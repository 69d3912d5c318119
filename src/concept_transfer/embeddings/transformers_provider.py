"""Provider `transformers`: concept texts read by a language model on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from concept_transfer.device import usable_device
from concept_transfer.embeddings import model_files
from concept_transfer.embeddings.cache import VectorSpace, embed_cached
from concept_transfer.embeddings.model_files import ModelFolder
from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.embeddings.text_tables import text_table
from concept_transfer.embeddings.texts import token_texts
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
from concept_transfer.progress import Progress

_TEXTS_A_PART = 4096
_COMMIT = re.compile(r"[0-9a-f]{40}")


def check(request: Request) -> None:
    """Refuse tokens without a text of their own, and a model that is not there (StudyError)."""
    token_texts(request.name, request.config, request.vocabulary, request.root)
    model_files.check(request.name, request.config, request.root)


def embed(request: Request) -> EmbeddingTable:
    """Vectors of the tokens' texts from the model's last layer.

    The model is loaded, and torch imported, only for texts that the cache does not know; a
    pinned commit whose texts are all known needs neither model nor network.
    """

    name, root = request.name, request.root
    config: TransformersEmbedding = request.config

    @cache
    def located() -> ModelFolder:
        return model_files.locate(name, config, root)

    def compute(texts: list[str]) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        from concept_transfer.embeddings.language_model import LanguageModel

        model = LanguageModel(
            f"embeddings.{name}",
            located().path,
            pooling=config.pooling,
            device=usable_device(request.device),
            dtype=config.dtype,
            truncate=config.truncate,
            pickled_weights=config.pickled_weights,
        )
        by_length = sorted(texts, key=len, reverse=True)
        progress = Progress("texts", len(texts))
        for start in range(0, len(by_length), _TEXTS_A_PART):
            part = by_length[start : start + _TEXTS_A_PART]
            yield part, model.encode(part, done=progress.advance)

    pinned = bool(_COMMIT.fullmatch(config.revision or "")) and model_files.is_on_hub(config, root)
    content = config.revision if pinned else located().content
    space = VectorSpace(
        {
            "provider": config.provider,
            "model": config.model if pinned else None,
            "content": content,
            "pooling": config.pooling,
            "dtype": config.dtype,
            "truncate": config.truncate,
        }
    )
    texts = token_texts(name, config, request.vocabulary, root)
    where = f"embeddings.{name}: model '{config.model}'"
    vectors = texts.per_token(embed_cached(where, space, texts.texts, compute))
    return text_table(
        name,
        config,
        request.vocabulary,
        texts,
        vectors,
        revision=content if pinned else located().revision,
        pooling=config.pooling,
    )
