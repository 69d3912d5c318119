"""Maximum mean discrepancy between the encounters of two sites in an embedding's space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.random import generator
from concept_transfer.sites.site import Site

Array = NDArray[np.float64]
ENCOUNTERS = 1000  # of each site, drawn without replacement
PERMUTATIONS = 200


@dataclass(frozen=True)
class Pooled:
    """Encounters as points: ``vectors`` [n, width] are the means of their tokens' vectors (zero
    for an encounter without tokens); ``cluster`` [n] numbers their clusters from 0, ascending."""

    vectors: Array
    cluster: NDArray[np.int64]


def pool(site: Site, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> Pooled:
    """The encounters ``rows`` of a site, by ``vectors`` [tokens, width]."""
    _, cluster = np.unique(site.split.cluster[rows].astype(str), return_inverse=True)
    order = np.argsort(cluster, kind="stable")
    rows, cluster = rows[order], cluster[order]
    means = np.zeros((len(rows), vectors.shape[1]))
    for place, row in enumerate(rows):
        tokens = site.inputs["findings"][row]
        if len(tokens):
            means[place] = vectors[tokens].mean(axis=0, dtype=np.float64)
    return Pooled(means, cluster)


def subsample(site: Site, seed: int, most: int = ENCOUNTERS) -> NDArray[np.int64]:
    """At most ``most`` random rows of a site, ascending."""
    rng = generator(seed, "subsample", site.name, str(most))
    count = len(site.labels)
    return np.sort(rng.choice(count, size=min(most, count), replace=False))


def median_distance(points: Array, seed: int, most: int = ENCOUNTERS) -> float:
    """Median Euclidean distance between different points (of at most ``most`` of them)."""
    if len(points) > most:
        points = points[generator(seed, "median").choice(len(points), size=most, replace=False)]
    upper = np.triu_indices(len(points), k=1)
    return float(np.sqrt(np.median(_squared_distances(points, points)[upper])))


def discrepancy(a: Pooled, b: Pooled, bandwidth: float) -> tuple[float, float]:
    """Squared maximum mean discrepancy of two samples, and its standard error.

    Gaussian kernel exp(-d^2 / (2 bandwidth^2)); unbiased (Gretton et al. 2012, J. Mach. Learn.
    Res. 13, eq. 3), so it may be negative; pairs of encounters of one cluster are left out, since
    they are not independent. The error is the jackknife's over the clusters of either sample,
    which is too large rather than too small where both sites are alike.
    """
    within = [_blocks(x, x, bandwidth) for x in (a, b)]
    across = _blocks(a, b, bandwidth)
    sizes = [np.bincount(x.cluster).astype(float) for x in (a, b)]
    parts = [_between_clusters(block, size) for block, size in zip(within, sizes, strict=True)]
    cross = across.sum() / (sizes[0].sum() * sizes[1].sum())
    variance = 0.0
    for side in (0, 1):
        inside, other = sizes[side], sizes[1 - side].sum()
        left = (inside.sum() - inside) * other
        without = parts[side][1] - 2 * (across.sum() - across.sum(axis=1 - side)) / left
        count = len(inside)
        variance += (count - 1) * np.var(without) if count > 2 else np.nan
    return float(parts[0][0] + parts[1][0] - 2 * cross), float(np.sqrt(variance))


def chance_spread(a: Pooled, b: Pooled, bandwidth: float, rng: np.random.Generator) -> float:
    """Standard deviation of `discrepancy` where chance deals the clusters to two sites.

    From permutations of the clusters (the null distribution of Gretton et al. 2012, section 5). A
    discrepancy over its spread has no unit, so that spaces of other shape and bandwidth compare
    on the same encounters; it grows with the number of encounters.
    """
    numbers = np.concatenate([a.cluster, b.cluster + a.cluster[-1] + 1])
    everything = Pooled(np.concatenate([a.vectors, b.vectors]), numbers)
    size = np.bincount(numbers).astype(float)
    kernel, pairs = _blocks(everything, everything, bandwidth), np.outer(size, size)
    np.fill_diagonal(kernel, 0)
    np.fill_diagonal(pairs, 0)
    first = np.tile(np.arange(len(size)) <= a.cluster[-1], (PERMUTATIONS, 1))
    dealt = rng.permuted(first, axis=1).T.astype(float)

    def means(x: Array, y: Array) -> Array:
        return np.asarray((x * (kernel @ y)).sum(axis=0) / (x * (pairs @ y)).sum(axis=0))

    rest = 1 - dealt
    values = means(dealt, dealt) + means(rest, rest) - 2 * means(dealt, rest)
    return float(np.std(values, ddof=1))


def _between_clusters(block: Array, size: Array) -> tuple[float, Array]:
    """Mean kernel over pairs of different clusters, and the same without each cluster."""
    kernel = block - np.diag(np.diag(block))
    pairs = np.outer(size, size)
    np.fill_diagonal(pairs, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (kernel.sum() - 2 * kernel.sum(axis=1)) / (pairs.sum() - 2 * pairs.sum(axis=1))
        return float(kernel.sum() / pairs.sum()), without


def _blocks(a: Pooled, b: Pooled, bandwidth: float) -> Array:
    """The kernel's sums over all pairs of clusters, [clusters of a, clusters of b]; NaN where all
    vectors are one, and the bandwidth 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = np.exp(-_squared_distances(a.vectors, b.vectors) / (2 * bandwidth**2))
    rows, columns = (np.flatnonzero(np.diff(x.cluster, prepend=-1)) for x in (a, b))
    return np.asarray(np.add.reduceat(np.add.reduceat(kernel, rows, axis=0), columns, axis=1))


def _squared_distances(a: Array, b: Array) -> Array:
    lengths = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)
    return np.asarray(np.maximum(lengths - 2 * a @ b.T, 0))
