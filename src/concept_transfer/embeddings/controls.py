"""Control tables: the geometry of an embedding without its meaning, redrawn per replicate.

Both draws depend on (seed, replicate, kind of control) alone, so every job of a study sees the
same table and cells that differ in another factor stay paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary

if TYPE_CHECKING:
    from concept_transfer.embeddings.providers import Control

_STREAM: Mapping[str, int] = {"shuffled": 1, "random": 2, "permutation": 3}


def generator(
    seed: int, number: int, purpose: Control | Literal["permutation"]
) -> np.random.Generator:
    """The random stream of one replicate's control table, or of one permutation of a test; the
    same on every machine."""
    entropy = np.random.SeedSequence([seed, number, _STREAM[purpose]])
    return np.random.Generator(np.random.Philox(entropy))


def shuffled_rows(
    vocabulary: Vocabulary, known: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.intp]:
    """For every token the row of the parent table that it receives; shape [tokens].

    `known` says which tokens have a vector (a row that is not zero); concepts that lack one for
    any state stay where they are.

    Concepts swap places with concepts that have as many states, and each takes the other's
    states along: state k (in the order of the states' names) receives state k. The swap has no
    fixed point, so every concept gets the vectors of another one. A concept that is alone with
    its number of states keeps its rows: what an embedding says about it lies in its position
    relative to other concepts, and those have all moved.
    """
    return _exchanged(vocabulary, known, lambda count: _derangement(count, rng))


def permuted_rows(
    vocabulary: Vocabulary, known: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.intp]:
    """As `shuffled_rows`, but drawn among all exchanges, those that leave concepts in place too.

    That is what a permutation test needs: the assignment that is there is one of those drawn from.
    """
    return _exchanged(vocabulary, known, rng.permutation)


def _exchanged(
    vocabulary: Vocabulary,
    known: NDArray[np.bool_],
    reorder: Callable[[int], NDArray[np.intp]],
) -> NDArray[np.intp]:
    tokens: dict[str, list[int]] = {}
    for token, concept in enumerate(vocabulary.concepts):
        tokens.setdefault(concept, []).append(token)
    classes: dict[int, list[list[int]]] = {}
    for members in tokens.values():
        if not known[members].all():
            continue
        ordered = sorted(members, key=lambda token: vocabulary.states[token])
        classes.setdefault(len(members), []).append(ordered)

    rows = np.arange(len(vocabulary))
    for size in sorted(classes):
        alike = np.array(classes[size])
        if len(alike) > 1:
            rows[alike] = alike[reorder(len(alike))]
    return rows


def random_vectors(parent: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian directions with the row norms of `parent`; shape as `parent`."""
    drawn = rng.standard_normal(parent.shape, dtype=np.float32)
    drawn *= np.linalg.norm(parent, axis=1, keepdims=True) / np.linalg.norm(
        drawn, axis=1, keepdims=True
    )
    return drawn


def _derangement(n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """A uniform draw among the permutations of n >= 2 without a fixed point.

    By rejection: a share of about 1/e of all permutations has none.
    """
    while True:
        order = rng.permutation(n)
        if not np.any(order == np.arange(n)):
            return order
