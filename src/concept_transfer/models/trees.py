"""Sums of decision trees on 0/1 findings, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

LEAF = -1
NUMBERS_AT_ONCE = 1 << 17  # of all trees: they stay in the processor's cache


@dataclass(frozen=True)
class Nodes:
    """One tree as scikit-learn has it: its root comes first, `left` is LEAF at its leaves.

    column, left, right: integers [nodes]; value: float64 [nodes].
    """

    column: NDArray[np.integer]
    left: NDArray[np.integer]
    right: NDArray[np.integer]
    value: NDArray[np.float64]


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees: an encounter goes right where it holds the node's token.

    token, left, right: int32 [nodes], LEAF in all three at a leaf; left and right are numbers of
    nodes. value: float64 [nodes], what a leaf adds. roots: int32 [iterations, scores], the first
    node of each tree; a tree adds to one score. initial: float64 [scores], the sum without trees.
    A tree has no more than 64 leaves.
    """

    token: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]
    roots: NDArray[np.int32]
    initial: NDArray[np.float64]

    def first(self, iterations: int) -> Trees:
        """The trees of the first iterations alone."""
        roots = self.roots[:iterations]
        end = self.roots[iterations, 0] if iterations < len(self.roots) else len(self.token)
        token, left, right = self.token[:end], self.left[:end], self.right[:end]
        return Trees(token, left, right, self.value[:end], roots, self.initial)

    def scores(self, matrix: csr_array) -> NDArray[np.float64]:
        """Sums [n, scores] of findings 0/1 [n, tokens]."""
        parts = [added.sum(0).T for _, added in self.parts(matrix)]
        return np.concatenate([np.empty((0, len(self.initial))), *parts])

    def parts(self, matrix: csr_array) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Some rows at a time, and what each tree adds to them [iterations, scores, rows].

        The first one's part holds the initial sum too.
        """
        at_once = max(1, NUMBERS_AT_ONCE // max(1, self.roots.size))
        for start in range(0, matrix.shape[0], at_once):
            rows = slice(start, min(start + at_once, matrix.shape[0]))
            added = self._paths.added(matrix[rows]).reshape(*self.roots.shape, -1)
            added[0] += self.initial[:, None]
            yield rows, added

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _paths(self) -> _Paths:
        return _Paths.of(self)


def small_leaf(fewest: Iterable[NDArray[np.int64]], small_cells: int) -> str:
    """What is wrong with trees whose smallest leaves hold so few training encounters, or ""."""
    least = min(int(number) for number in fewest)
    if least >= small_cells:
        return ""
    return (
        f"a leaf of its trees may hold fewer than {small_cells} encounters; fit larger ones with "
        f"`min_leaf: {small_cells}` in the classifier's section"
    )


def joined(
    trees: Sequence[Nodes], tokens: NDArray[np.int64], initial: NDArray[np.float64]
) -> Trees:
    """Trees in order of the iterations, within one in that of the scores.

    tokens: the token of each column; initial: [scores].
    """
    roots = np.cumsum([0, *(len(tree.value) for tree in trees)])[:-1]
    leaf = [tree.left == LEAF for tree in trees]

    def whole(numbers: Iterable[NDArray[Any]]) -> NDArray[np.int32]:
        parts = (np.where(end, LEAF, part) for end, part in zip(leaf, numbers, strict=True))
        return np.concatenate(list(parts)).astype(np.int32)

    return Trees(
        whole(tokens[np.where(end, 0, tree.column)] for end, tree in zip(leaf, trees, strict=True)),
        whole(tree.left + root for tree, root in zip(trees, roots, strict=True)),
        whole(tree.right + root for tree, root in zip(trees, roots, strict=True)),
        np.concatenate([tree.value for tree in trees]),
        roots.astype(np.int32).reshape(-1, len(initial)),
        np.asarray(initial, np.float64),
    )


@dataclass(frozen=True)
class _Paths:
    """The trees in a form that needs no walk down each (QuickScorer; Lucchese et al. 2015,
    doi:10.1145/2766462.2767733).

    Leaves are numbered from the left. A node whose token an encounter holds rules out the leaves
    to its left, as bits of a mask; the first leaf that none rules out is the encounter's.
    columns: tokens that some node asks for; column: int64 [most nodes, trees], which of them;
    masks: unsigned [most nodes, trees], 0 where a tree has fewer nodes; values: float64
    [trees, most leaves].
    """

    columns: NDArray[np.int32]
    column: NDArray[np.int64]
    masks: NDArray[np.unsignedinteger]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, trees: Trees) -> _Paths:
        walked = (_walked(trees, root) for root in trees.roots.ravel().tolist())
        asked, leaves = zip(*walked, strict=True)
        most_nodes, most_leaves = max(map(len, asked)), max(map(len, leaves))
        unsigned = np.uint32 if most_leaves <= 32 else np.uint64
        token = np.zeros((len(asked), most_nodes), np.int32)
        masks = np.zeros((len(asked), most_nodes), unsigned)
        values = np.zeros((len(leaves), most_leaves))
        for tree, (nodes, ends) in enumerate(zip(asked, leaves, strict=True)):
            for place, (node, mask) in enumerate(nodes):
                token[tree, place], masks[tree, place] = trees.token[node], mask
            values[tree, : len(ends)] = trees.value[ends]
        columns, column = np.unique(token, return_inverse=True)
        return cls(columns, column.reshape(token.shape).T, masks.T.copy(), values)

    def added(self, matrix: csr_array) -> NDArray[np.float64]:
        """What each tree adds for each row, [trees, rows]."""
        there = matrix[:, self.columns].toarray().T > 0
        held = there.astype(self.masks.dtype, order="C")
        trees, rows = len(self.values), held.shape[1]
        ruled_out = np.zeros((trees, rows), self.masks.dtype)
        by_node = np.empty_like(ruled_out)
        for column, mask in zip(self.column, self.masks, strict=True):
            np.take(held, column, axis=0, out=by_node, mode="clip")
            by_node *= mask[:, None]
            ruled_out |= by_node
        leaf = np.bitwise_count(ruled_out & ~(ruled_out + 1)).astype(np.int64)
        leaf += np.arange(trees)[:, None] * self.values.shape[1]
        added: NDArray[np.float64] = self.values.ravel()[leaf]
        return added


def _walked(trees: Trees, root: int) -> tuple[list[tuple[int, int]], list[int]]:
    """A tree's inner nodes with their masks, and its leaves from the left."""
    asked: list[tuple[int, int]] = []
    leaves: list[int] = []

    def walk(node: int) -> None:
        if trees.left[node] == LEAF:
            leaves.append(node)
            return
        begin = len(leaves)
        walk(trees.left[node])
        asked.append((node, (1 << len(leaves)) - (1 << begin)))
        walk(trees.right[node])

    walk(root)
    return asked, leaves
