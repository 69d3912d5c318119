"""One unit vector a concept, the points whose geometry is described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.scaling import known_rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Concepts:
    """``units`` [concepts, width] has rows of length 1; ids, names and categories go with them.

    A concept's vector is that of its state present; a graded concept, which has none, takes the
    direction of the mean over its states.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    categories: NDArray[np.str_]
    units: Array

    @property
    def cosines(self) -> Array:
        """Cosines of all pairs, [concepts, concepts]."""
        return np.asarray(self.units @ self.units.T)


def concept_points(vectors: NDArray[np.float32], vocabulary: Vocabulary) -> Concepts:
    """The concepts of a table ``vectors`` [tokens, width]; those without a vector are left out."""
    known = known_rows(vectors)
    units = unit_rows(vectors)
    kept, points = [], []
    for concept, states in vocabulary.concept_states.items():
        chosen = ("present",) if "present" in states else states
        tokens = [vocabulary.index[concept, state] for state in chosen]
        if known[tokens].all():
            kept.append(tokens[0])
            points.append(units[tokens].mean(axis=0))
    return Concepts(
        tuple(vocabulary.concepts[i] for i in kept),
        tuple(vocabulary.names[i] for i in kept),
        np.array([vocabulary.categories[i] for i in kept]),
        unit_rows(np.array(points)),
    )


def unit_rows(vectors: NDArray[Any]) -> Array:
    """Rows of length 1; zero rows stay zero."""
    rows = vectors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))


def plane(points: Array) -> tuple[Array, Array]:
    """The first two principal components of ``points`` [n, width]: coordinates [n, 2] and the
    shares of variance [2]. Each axis points to its farthest point, so the map is the same on
    every machine."""
    centred = points - points.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    coordinates = (left * values)[:, :2]
    farthest = coordinates[np.abs(coordinates).argmax(axis=0), [0, 1]]
    total = (values**2).sum()
    return coordinates * np.where(farthest < 0, -1, 1), values[:2] ** 2 / total
