"""How well the categories of concepts separate in an embedding, against chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TIED = 1e-9


def silhouette(distances: Array, cluster: NDArray[np.int64]) -> float:
    """Mean silhouette (Rousseeuw 1987) of clusters 0, 1, ... from distances [n, n].

    0 for the only point of its cluster, and for all points where there is one cluster.
    """
    members = np.eye(cluster.max() + 1)[cluster]
    sizes = members.sum(axis=0)
    totals = distances @ members
    points = np.arange(len(cluster))
    in_cluster, size = totals[points, cluster], sizes[cluster]
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = in_cluster / (size - 1)
        means = np.where(sizes > 0, totals / sizes, np.inf)
        means[points, cluster] = np.inf
        outside = means.min(axis=1)
        score = (outside - inside) / np.maximum(inside, outside)
    return float(np.where((size > 1) & np.isfinite(score), score, 0).mean())


def neighbour_weights(cosines: Array, count: int) -> Array:
    """Weights [n, n] of each point's ``count`` nearest others: rows sum to ``count``.

    Points as near as the last one share the places that are left, so that equidistant points
    (one-hot vectors) are not ranked by their order.
    """
    others = cosines.copy()
    np.fill_diagonal(others, -np.inf)
    count = min(count, len(others) - 1)
    last = -np.partition(-others, count - 1, axis=1)[:, count - 1 : count]
    nearer, tied = others > last + TIED, np.abs(others - last) <= TIED
    left = count - nearer.sum(axis=1, keepdims=True)
    return np.asarray(nearer + tied * left / tied.sum(axis=1, keepdims=True))


def purity(weights: Array, cluster: NDArray[np.int64]) -> float:
    """Share of the neighbours (`neighbour_weights`) that are of a point's own cluster."""
    members = np.eye(cluster.max() + 1)[cluster]
    return float((members * (weights @ members)).sum() / weights.sum())
