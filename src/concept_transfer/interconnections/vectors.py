"""Vectors of codes by an embedding of the study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.embeddings.controls import generator
from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.interconnections.nodes import Nodes
from concept_transfer.registry import imported
from concept_transfer.settings.embeddings import EmbeddingSection, control_of, parents_of

if TYPE_CHECKING:
    from concept_transfer.concepts.vocabulary import Vocabulary

Vectors = NDArray[np.float32]


def behind(name: str, embeddings: Mapping[str, EmbeddingSection]) -> str:
    """The embedding itself, or the one that it is a control of."""
    return parents_of(embeddings[name])[0] if control_of(embeddings[name]) else name


def reads_texts(name: str, embeddings: Mapping[str, EmbeddingSection], findings: bool) -> bool:
    """Whether vectors are those of the codes' names: their provider can embed any text, and codes
    are no findings, of which the study's table has vectors."""
    return not findings and bool(PROVIDERS[embeddings[behind(name, embeddings)].provider].texts)


def code_vectors(
    name: str,
    embeddings: Mapping[str, EmbeddingSection],
    nodes: Nodes,
    vocabulary: Vocabulary,
    table: EmbeddingTable | None,
    seed: int,
    root: Path,
    device: str,
) -> Vectors:
    """float32 [K, width]; zeros where a code has no vector.

    table: of the embedding `behind` the name, whose concepts are codes; None: of the codes' names.
    A shuffled control deals the vectors anew among codes, a random one draws them.
    """
    if table is None:
        section = embeddings[behind(name, embeddings)]
        texts, place = np.unique(np.array(nodes.name, dtype=np.str_), return_inverse=True)
        embed = imported(PROVIDERS[section.provider].texts)
        vectors: Vectors = embed(name, section, texts.tolist(), root, device)[place]
    else:
        vectors = np.zeros((len(nodes), table.vectors.shape[1]), np.float32)
        for number, code in enumerate(nodes.code):
            token = vocabulary.index.get((code, "present"))
            if token is not None:
                vectors[number] = table.vectors[token]
    control = control_of(embeddings[name])
    if control is None:
        return vectors
    rng, known = generator(seed, 0, control), np.flatnonzero(vectors.any(axis=1))
    dealt = np.zeros_like(vectors)
    if control == "shuffled":
        dealt[known] = vectors[rng.permutation(known)]
    else:
        dealt[known] = rng.standard_normal((len(known), vectors.shape[1]))
    return dealt
