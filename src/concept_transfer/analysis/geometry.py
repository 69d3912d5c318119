"""What the geometry of an embedding says about concepts, before any model is trained.

All similarities are cosines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.concepts import Array, concept_points, plane, unit_rows
from concept_transfer.analysis.random import generator
from concept_transfer.analysis.separability import TIED, neighbour_weights, purity, silhouette
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.scaling import known_rows

NEIGHBOURS = 5
PERMUTATIONS = 1000

Row = dict[str, Any]


def geometry(vectors: NDArray[np.float32], vocabulary: Vocabulary, seed: int) -> list[Row]:
    """Measures of one table: measure, value, low, high, baseline, baseline_low, baseline_high, p.

    low and high are the 5th and 95th percentile over the concepts or pairs of which the value is
    the mean. baseline is the mean over random permutations of the categories among concepts, with
    its 5th and 95th percentile, and p the share of permutations (the observed one included) that
    are as high. Measures:

    - anisotropy: cosine of two concepts (0: they point everywhere alike);
    - present_absent: cosine of a concept's present and absent vector;
    - absent_is_nearest: share of concepts whose present vector has no nearer token than its own
      absent one (ties do not count);
    - negation_direction: cosine of (absent - present) of two concepts (1: negation is one
      direction for all, 0: it differs as much as independent directions do);
    - effective_dimension: see `effective_dimension`;
    - silhouette, neighbour_purity: mean silhouette of the categories, and the share of the
      `NEIGHBOURS` nearest concepts that share a concept's category; categories of a single
      concept are left out.

    Nothing is measured of a single concept.
    """
    points = concept_points(vectors, vocabulary)
    if len(points.ids) < 2:
        return []
    pairs = np.triu_indices(len(points.ids), k=1)
    return [
        _spread("anisotropy", points.cosines[pairs]),
        *_negation(vectors, vocabulary),
        _row("effective_dimension", effective_dimension(points.units)),
        *_separability(points.units, points.categories, generator(seed, "permutations")),
    ]


def effective_dimension(points: Array) -> float:
    """Participation ratio of the covariance of ``points`` [n, width]: (sum of eigenvalues)^2 /
    sum of their squares. 1 on a line, k where k directions vary alike, n - 1 at most."""
    centred = points - points.mean(axis=0)
    gram = centred @ centred.T
    total = float((gram**2).sum())
    return float(np.trace(gram) ** 2 / total) if total else 0.0


def nearest_neighbours(
    vectors: NDArray[np.float32], vocabulary: Vocabulary, count: int = NEIGHBOURS
) -> Iterator[Row]:
    """The ``count`` nearest concepts of every concept; ties in vocabulary order.

    Rows: concept, name, category, rank (from 1), neighbour, neighbour_name, neighbour_category,
    cosine.
    """
    points = concept_points(vectors, vocabulary)
    cosines = points.cosines
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines.round(9), axis=1, kind="stable")
    for place, nearest in enumerate(order[:, : min(count, len(order) - 1)]):
        for rank, other in enumerate(nearest, start=1):
            yield {
                "concept": points.ids[place],
                "name": points.names[place],
                "category": str(points.categories[place]),
                "rank": rank,
                "neighbour": points.ids[other],
                "neighbour_name": points.names[other],
                "neighbour_category": str(points.categories[other]),
                "cosine": float(cosines[place, other]),
            }


def concept_map(vectors: NDArray[np.float32], vocabulary: Vocabulary) -> Iterator[Row]:
    """Every concept on the first two principal components of the concepts' unit vectors.

    Rows: concept, name, category, x, y, share_x, share_y (of the variance that an axis shows).
    """
    points = concept_points(vectors, vocabulary)
    if len(points.ids) < 2:
        return
    coordinates, shares = plane(points.units)
    for place, (x, y) in enumerate(coordinates):
        yield {
            "concept": points.ids[place],
            "name": points.names[place],
            "category": str(points.categories[place]),
            "x": float(x),
            "y": float(y),
            "share_x": float(shares[0]),
            "share_y": float(shares[1]),
        }


def _negation(vectors: NDArray[np.float32], vocabulary: Vocabulary) -> list[Row]:
    known = known_rows(vectors)
    pairs = [
        (vocabulary.index[concept, "present"], vocabulary.index[concept, "absent"])
        for concept, states in vocabulary.concept_states.items()
        if {"present", "absent"} <= set(states)
    ]
    pairs = [pair for pair in pairs if known[list(pair)].all()]
    if len(pairs) < 2:
        return []
    present, absent = np.array(pairs).T
    units = unit_rows(vectors)
    cosines = (units[present] * units[absent]).sum(axis=1)
    others = np.where(known, units[present] @ units.T, -np.inf)
    places = np.arange(len(pairs))
    others[places, present] = others[places, absent] = -np.inf
    steps = unit_rows(units[absent] - units[present])
    alike = (steps @ steps.T)[np.triu_indices(len(steps), k=1)]
    return [
        _spread("present_absent", cosines),
        _row("absent_is_nearest", float(np.mean(cosines > others.max(axis=1) + TIED))),
        _spread("negation_direction", alike),
    ]


def _separability(
    units: Array, categories: NDArray[np.str_], rng: np.random.Generator
) -> list[Row]:
    names, sizes = np.unique(categories, return_counts=True)
    kept = np.isin(categories, names[sizes > 1])
    if len(set(categories[kept])) < 2:
        return []
    category = np.unique(categories[kept], return_inverse=True)[1]
    cosines = units[kept] @ units[kept].T
    weights = neighbour_weights(cosines, NEIGHBOURS)
    drawn = [category, *(rng.permutation(category) for _ in range(PERMUTATIONS))]

    def against_chance(measure: str, of: Callable[[NDArray[np.int64]], float]) -> Row:
        observed, *chance = [of(labels) for labels in drawn]
        low, high = np.percentile(chance, [5, 95])
        as_high = np.sum(np.array(chance) >= observed - TIED)
        return {
            **_row(measure, observed),
            "baseline": float(np.mean(chance)),
            "baseline_low": float(low),
            "baseline_high": float(high),
            "p": float((1 + as_high) / (1 + PERMUTATIONS)),
        }

    return [
        against_chance("silhouette", lambda labels: silhouette(1 - cosines, labels)),
        against_chance("neighbour_purity", lambda labels: purity(weights, labels)),
    ]


def _spread(measure: str, values: Array) -> Row:
    low, high = np.percentile(values, [5, 95])
    return {**_row(measure, float(values.mean())), "low": float(low), "high": float(high)}


def _row(measure: str, value: float) -> Row:
    empty = dict.fromkeys(("low", "high", "baseline", "baseline_low", "baseline_high", "p"), np.nan)
    return {"measure": measure, "value": value, **empty}
