"""The L2 penalty of a regression on tokens, chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Folds = NDArray[np.int64]

VARIANCES = np.logspace(-5, 1, 9)  # of the coefficients: the inverse of the penalty
USUAL = 5  # the place of the one that serves where folds cannot choose
MOST_ROWS_TO_CHOOSE = 2000


class Weighed(Protocol):
    """Labelled encounters, each with a weight."""

    @property
    def labels(self) -> NDArray[Any]:
        """[n]."""

    @property
    def weights(self) -> Floats:
        """[n]."""

    def take(self: Some, rows: NDArray[np.int64]) -> Some:
        """Some of the encounters."""

    def reweighed(self: Some, weights: Floats) -> Some:
        """The same encounters with other weights [n]."""


Some = TypeVar("Some", bound=Weighed)


@dataclass(frozen=True)
class Path:
    """What models at every variance say of m encounters that they lack: log loss [variances], and
    scores [variances, m, ...]."""

    losses: Floats
    scores: Floats


def best(paths: Iterable[Path]) -> int:
    """The place of the variance with the least loss over folds."""
    losses = [path.losses for path in paths]
    return int(np.argmin(sum(losses))) if losses else USUAL


def paths_by_fold(
    data: Some, folds: Folds, along: Callable[[Some, NDArray[np.bool_]], Path]
) -> dict[int, Path]:
    """The path of each fold that can choose. Of many encounters some stand for all.

    folds: int64 [n], -1 for encounters that are never left out; along: the path of the encounters
    that are left out, bool [n].
    """
    data, folds = thinned(data, folds)
    return {fold: along(data, folds == fold) for fold in judging_folds(data.labels, folds)}


def judging_folds(labels: NDArray[Any], folds: Folds) -> list[int]:
    """The folds that can choose when left out: those whose training has two classes.

    >>> judging_folds(np.array([0, 0, 1]), np.array([0, 1, 2]))
    [0, 1]
    """
    return [
        fold
        for fold in np.unique(folds[folds >= 0]).tolist()
        if len(np.unique(labels[folds != fold])) > 1
    ]


def thinned(data: Some, folds: Folds) -> tuple[Some, Folds]:
    """Some encounters of a fold, and some that are never left out; these weigh as much as all."""
    in_folds, others = np.flatnonzero(folds >= 0), np.flatnonzero(folds < 0)
    kept = others[evenly(len(others))]
    rows = np.concatenate([in_folds[evenly(len(in_folds))], kept])
    chosen, folds = data.take(rows), folds[rows]
    heavier = np.where(folds < 0, len(others) / max(1, len(kept)), 1.0)
    return chosen.reweighed(chosen.weights * heavier), folds


def evenly(count: int) -> NDArray[np.int64]:
    """As many rows as penalties are chosen on, of more, at even distances."""
    return np.linspace(0, count - 1, min(count, MOST_ROWS_TO_CHOOSE)).astype(np.int64)
