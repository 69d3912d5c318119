"""Tables made from other tables: scaled, projected, joined, averaged, negated by a direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.scaling import describe_scale, known_rows, scale_rows
from concept_transfer.embeddings.table import EmbeddingTable, digest_of_texts
from concept_transfer.errors import StudyError


def scaled(request: Request) -> EmbeddingTable:
    """The parent's rows, to be scaled as the config says."""
    return _table(request, request.parents[0].vectors)


def projected(request: Request) -> EmbeddingTable:
    """The parent's first principal components."""
    vectors, explained = principal_components(
        request.name, request.parents[0].vectors, request.config.width
    )
    return _table(request, vectors, explained_variance=explained)


def concatenated(request: Request) -> EmbeddingTable:
    """The parents' rows side by side."""
    return _table(request, np.concatenate([table.vectors for table in request.parents], axis=1))


def averaged(request: Request) -> EmbeddingTable:
    """The mean of the parents' rows."""
    return _table(request, _average(request.name, request.parents))


def negated(request: Request) -> EmbeddingTable:
    """The parent's rows, those of absent states moved by one direction."""
    vectors = request.parents[0].vectors
    return _table(
        request,
        negated_by_direction(request.name, vectors, request.vocabulary, request.config.strength),
    )


def _table(request: Request, vectors: NDArray[np.float32], **details: Any) -> EmbeddingTable:
    config, parents = request.config, request.parents
    first = parents[0].card
    alone = len(parents) == 1
    return EmbeddingTable.create(
        request.name,
        config.provider,
        scale_rows(vectors, config.scale),
        request.vocabulary,
        texts=first.texts if alone else digest_of_texts(p.card.texts for p in parents),
        model=first.model if alone else None,
        revision=first.revision if alone else None,
        pooling=first.pooling if alone else None,
        scale=describe_scale(config.scale),
        details={"parents": [parent.card.name for parent in parents], **details},
    )


def principal_components(
    name: str, vectors: NDArray[np.float32], width: int
) -> tuple[NDArray[np.float32], float]:
    """Scores on the first components, [tokens, width], and the share of variance they explain.

    Rows are centred first. The sign of a component, which the data leave open, is the one that
    makes its largest loading positive. Zero rows (no vector) are left out and stay zero.

    Raises StudyError where the table has fewer components than asked for.
    """
    known = known_rows(vectors)
    centred = vectors[known].astype(np.float64)
    centred -= centred.mean(axis=0)
    by_columns = centred.shape[0] > centred.shape[1]
    scatter = centred.T @ centred if by_columns else centred @ centred.T
    values, bases = np.linalg.eigh(scatter)
    values, bases = values[::-1], bases[:, ::-1]
    available = int(np.sum(values > values[0] * 1e-12))
    if width > available:
        raise StudyError(
            f"embeddings.{name}: width {width} exceeds the {available} components that "
            f"{known.sum()} tokens of width {vectors.shape[1]} have; ask for {available} or fewer"
        )
    bases = bases[:, :width]
    loadings = bases if by_columns else centred.T @ bases / np.sqrt(values[:width])
    largest = np.abs(loadings).argmax(axis=0)
    loadings = loadings * np.sign(loadings[largest, np.arange(width)])
    scores = np.zeros((len(vectors), width), dtype=np.float32)
    scores[known] = centred @ loadings
    return scores, float(values[:width].sum() / values.sum())


def negated_by_direction(
    name: str, vectors: NDArray[np.float32], vocabulary: Vocabulary, strength: float
) -> NDArray[np.float32]:
    """Absent = present + strength x d, with d the mean over concepts of absent - present.

    One direction stands for negation everywhere, as if the model had learnt it without noise;
    `strength` above 1 parts the two states further than the model does.

    Raises StudyError where no concept has vectors for both states.
    """
    known = known_rows(vectors)
    pairs = np.array(
        [
            (vocabulary.index[concept, "present"], vocabulary.index[concept, "absent"])
            for concept, states in vocabulary.concept_states.items()
            if {"present", "absent"} <= set(states)
        ],
        dtype=np.intp,
    ).reshape(-1, 2)
    both = pairs[known[pairs].all(axis=1)]
    if not len(both):
        raise StudyError(
            f"embeddings.{name}: no concept has vectors for both 'present' and 'absent', so there "
            "is no direction of negation to learn; choose another embedding in 'of'"
        )
    direction = (vectors[both[:, 1]] - vectors[both[:, 0]]).mean(axis=0, dtype=np.float64)
    result = vectors.copy()
    positive = pairs[known[pairs[:, 0]]]
    result[positive[:, 1]] = vectors[positive[:, 0]] + (strength * direction).astype(np.float32)
    return result


def _average(name: str, parents: Sequence[EmbeddingTable]) -> NDArray[np.float32]:
    widths = {parent.card.name: parent.card.width for parent in parents}
    if len(set(widths.values())) > 1:
        listed = ", ".join(f"{parent} has {width}" for parent, width in widths.items())
        raise StudyError(
            f"embeddings.{name}: an average needs tables of one width, but {listed}; bring them "
            "to one width with provider pca, or choose provider concatenated"
        )
    total = parents[0].vectors.copy()
    for parent in parents[1:]:
        total += parent.vectors
    return total / np.float32(len(parents))
