"""Sampling variance of means over encounters that are related within clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Clustered:
    """A sampling variance, and how many clusters it rests on: the fewest in one class."""

    variance: float
    clusters: int


def clustered(
    values: np.ndarray, unit: np.ndarray | None, classes: Sequence[np.ndarray]
) -> Clustered:
    """Variance of the sum of the classes' means of ``values`` [n].

    ``unit`` [n] numbers each encounter's cluster (None: every encounter is its own), ``classes``
    hold bool [n], without overlap. A class's deviations are scaled for its own number of clusters
    m by m / (m - 1), then added up by cluster. Of an AUROC's placements (`delong`) this is
    Obuchowski's (1997, Biometrics 53) variance, but that the covariance of the classes is scaled
    by the geometric mean of their factors, so that no variance is negative; with one encounter a
    cluster it is DeLong's. NaN where a class lies in fewer than two clusters.
    """
    return of_influences([influences(values, unit, classes)], unit)


@dataclass(frozen=True)
class Influences:
    """What each encounter adds to an estimate [n], and how many clusters that rests on."""

    values: np.ndarray
    clusters: int


def influences(
    values: np.ndarray, unit: np.ndarray | None, classes: Sequence[np.ndarray]
) -> Influences:
    """Of the sum of the classes' means, see `clustered`."""
    influence = np.zeros(len(values))
    counts = [int(c.sum()) if unit is None else len(np.unique(unit[c])) for c in classes]
    if min(counts) < 2:
        return Influences(np.full(len(values), np.nan), min(counts))
    for members, count in zip(classes, counts, strict=True):
        of_class, scale = values[members], (count / (count - 1)) ** 0.5
        influence[members] = scale * (of_class - of_class.mean()) / len(of_class)
    return Influences(influence, min(counts))


def of_influences(several: Sequence[Influences], unit: np.ndarray | None) -> Clustered:
    """Variance of the mean of estimates on the same encounters, by their influences."""
    influence = np.mean([one.values for one in several], axis=0)
    of_cluster = influence if unit is None else np.bincount(unit, weights=influence)
    return Clustered(float((of_cluster**2).sum()), min(one.clusters for one in several))
