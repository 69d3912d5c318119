"""Every embedding provider by name: a study's config section in, an embedding table out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings import (
    control_tables,
    derived,
    model_files,
    one_hot,
    openai_provider,
    precomputed,
    transformers_provider,
)
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.embeddings.texts import token_texts
from concept_transfer.settings.embeddings import (
    Embedding,
    OneHotEmbedding,
    OpenAIEmbedding,
    PrecomputedEmbedding,
    RandomEmbedding,
    ShuffledEmbedding,
    TextEmbedding,
    TransformersEmbedding,
)


def check_embedding(
    name: str,
    config: Embedding,
    vocabulary: Vocabulary,
    root: Path,
    allowed: NDArray[np.bool_] | None = None,
) -> None:
    """Cheap check before any job: files exist, models have weights, keys cover the vocabulary.

    `allowed` marks the tokens that models of the study see (None: all); the others need no
    published vector. Raises StudyError that names the key of the config, the file and what is
    accepted.
    """
    if isinstance(config, TextEmbedding):
        token_texts(name, config, vocabulary, root)
    if isinstance(config, PrecomputedEmbedding):
        precomputed.check(name, config, vocabulary, root, _all_or(allowed, vocabulary))
    elif isinstance(config, OneHotEmbedding):
        one_hot.check(name, vocabulary)
    elif isinstance(config, TransformersEmbedding):
        model_files.check(name, config, root)
    elif isinstance(config, OpenAIEmbedding):
        openai_provider.check(name, config, vocabulary, root)


def embed(
    name: str,
    config: Embedding,
    vocabulary: Vocabulary,
    root: Path,
    parents: Sequence[EmbeddingTable] = (),
    device: str = "cpu",
    allowed: NDArray[np.bool_] | None = None,
) -> EmbeddingTable:
    """Compute the embedding `name` of a study.

    `root` is the folder that relative paths of the config start from; `parents` are the tables
    that `study.parents_of(config)` names, in that order; `allowed` as in `check_embedding`.
    """
    for parent in parents:
        parent.require_vocabulary(vocabulary)
    if isinstance(config, OneHotEmbedding):
        return one_hot.embed(name, config, vocabulary)
    if isinstance(config, PrecomputedEmbedding):
        return precomputed.embed(name, config, vocabulary, root, _all_or(allowed, vocabulary))
    if isinstance(config, TransformersEmbedding):
        return transformers_provider.embed(name, config, vocabulary, root, device)
    if isinstance(config, OpenAIEmbedding):
        return openai_provider.embed(name, config, vocabulary, root)
    if isinstance(config, RandomEmbedding | ShuffledEmbedding):
        return control_tables.embed(name, config, parents[0])
    return derived.embed(name, config, vocabulary, parents)


def _all_or(allowed: NDArray[np.bool_] | None, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    return np.ones(len(vocabulary), dtype=np.bool_) if allowed is None else allowed
