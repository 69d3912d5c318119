"""How long a language model learns, at which step size, and from which documents at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from concept_transfer.pretraining.draws import generator

CUT, RATIO = 0.1, 32  # where the step size is largest, and by how much smaller it is at the ends
POOL = 8  # batches whose documents are sorted by length, so that little is padding
WEIGHTS, ORDER, PARTS, DROPOUT = range(4)  # purposes of random numbers, see `draws`


@dataclass(frozen=True)
class Budget:
    """So many steps, or so many tokens that the network reads."""

    unit: Literal["steps", "tokens"]
    total: int

    def share(self, steps: int, tokens: int) -> float:
        """Of the budget, what is used up."""
        return (steps if self.unit == "steps" else tokens) / self.total


def slanted_triangle(share: float) -> float:
    """Step size as a share of its peak: rises in a line, and falls slowly (Howard, Ruder 2018).

    >>> [slanted_triangle(share) for share in (0, 0.1, 1)]
    [0.03125, 1.0, 0.03125]
    """
    height = share / CUT if share < CUT else (1 - share) / (1 - CUT)
    return (1 + max(height, 0) * (RATIO - 1)) / RATIO


def batches(
    lengths: NDArray[np.int64], size: int, seed: tuple[int, int], number: int
) -> list[NDArray[np.int64]]:
    """The rows [n] of the steps of one pass over documents; which of them meet, and which are left
    out where n is no multiple of the size, is drawn anew in every pass."""
    draw = generator(seed, ORDER, number)
    size = min(size, len(lengths))
    order = draw.permutation(len(lengths))[: len(lengths) // size * size]
    pools = (order[start : start + POOL * size] for start in range(0, len(order), POOL * size))
    ordered = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    found = np.split(ordered, len(ordered) // size)
    return [found[place] for place in draw.permutation(len(found))]
