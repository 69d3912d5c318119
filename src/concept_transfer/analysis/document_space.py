"""How a language model arranges the documents of a site, by their classes, with intervals.

Intervals resample clusters (patients): how much who was there decides. What neighbours vote, and
what a probe says of a document that it has not seen, is that among all documents, and resampled by
who is judged. A document that is drawn twice lies close to itself, which makes classes tighter in
every draw: intervals are of draws less the mean that they are off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.concepts import Array, plane, unit_rows
from concept_transfer.analysis.random import generator
from concept_transfer.analysis.separability import neighbour_weights

MOST = 2000  # documents; of more, some at even distances
MOST_SHOWN = 400  # points of a map a site
NEIGHBOURS = 10
FOLDS = 5

Numbers = NDArray[np.int64]
Row = dict[str, Any]


@dataclass(frozen=True)
class Documents:
    """units: [n, width], of length 1; classes: [n], 0, 1, ... each of two documents or more, by
    place in names, the task's own numbers; clusters: [n], numbers of those that are drawn
    together."""

    units: Array
    classes: Numbers
    clusters: Numbers
    names: Numbers

    @classmethod
    def of(
        cls, vectors: NDArray[Any], classes: NDArray[Any], clusters: Numbers, fewest: int
    ) -> Documents | None:
        """Without classes that have fewer documents; None where fewer than two are left."""
        chosen = np.flatnonzero(np.bincount(classes)[classes] >= max(2, fewest))
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(MOST, len(chosen))).astype(int)]
        names = np.unique(classes[chosen])
        if len(names) < 2:
            return None
        return cls(
            unit_rows(vectors[chosen]),
            np.searchsorted(names, classes[chosen]),
            np.unique(clusters[chosen], return_inverse=True)[1],
            names,
        )

    @cached_property
    def cosines(self) -> Array:
        """[n, n]."""
        return np.asarray(self.units @ self.units.T)

    @cached_property
    def members(self) -> Array:
        """1 in the column of a document's class, [n, classes]."""
        return np.eye(int(self.classes.max()) + 1)[self.classes]

    @cached_property
    def together(self) -> Array:
        """Whether two documents are of one class, 0 or 1 [n, n]."""
        return np.asarray(self.members @ self.members.T)

    @cached_property
    def near(self) -> Array:
        """Share of each document's nearest that are of its class, [n]."""
        weights = neighbour_weights(self.cosines, NEIGHBOURS)
        of_class = (weights @ self.members)[np.arange(len(self.classes)), self.classes]
        return np.asarray(of_class / weights.sum(axis=1))

    @cached_property
    def closeness(self) -> Array:
        """Gaussian potentials of all pairs, [n, n] (Wang, Isola 2020)."""
        return np.asarray(np.exp(-2 * (2 - 2 * self.cosines)))


def alike(documents: Documents, weights: Array) -> float:
    """Mean cosine of two documents of one class."""
    pairs = documents.together
    return _of_pairs(pairs * documents.cosines, weights) / _of_pairs(pairs, weights)


def unlike(documents: Documents, weights: Array) -> float:
    """Mean cosine of two documents of different classes."""
    apart = 1 - documents.together
    return _of_pairs(apart * documents.cosines, weights) / _of_pairs(apart, weights)


def alignment(documents: Documents, weights: Array) -> float:
    """Mean squared distance of two documents of one class (Wang, Isola 2020, arXiv 2005.10242)."""
    return 2 - 2 * alike(documents, weights)


def uniformity(documents: Documents, weights: Array) -> float:
    """Log of the mean Gaussian potential of two documents (the same paper): the lower, the more
    evenly they fill the sphere."""
    total = weights.sum() ** 2 - (weights**2).sum()
    return float(np.log(_of_pairs(documents.closeness, weights) / total))


def silhouettes(documents: Documents, weights: Array) -> float:
    """Mean silhouette of the classes, by cosine distance (Rousseeuw 1987)."""
    sizes = weights @ documents.members
    totals = (1 - documents.cosines) * weights @ documents.members
    rows = np.arange(len(weights))
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(sizes > 0, totals / sizes, np.inf)
        inside = totals[rows, documents.classes] / (sizes[documents.classes] - 1)
        means[rows, documents.classes] = np.inf
        outside = means.min(axis=1)
        score = (outside - inside) / np.maximum(inside, outside)
    known = np.isfinite(score) & (sizes[documents.classes] > 1)
    return float(np.average(np.where(known, score, 0), weights=weights))


def davies_bouldin(documents: Documents, weights: Array) -> float:
    """Davies-Bouldin index of the classes on the unit sphere (1979): the lower, the further they
    are apart."""
    sizes = weights @ documents.members
    there = sizes > 0
    shares = documents.members[:, there] * weights[:, None] / sizes[there]
    centres = shares.T @ documents.units
    away = np.linalg.norm(documents.units[:, None] - centres[None], axis=2)
    spread = (shares * away).sum(axis=0)
    between = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(between, np.inf)
    return float(((spread[:, None] + spread[None]) / between).max(axis=1).mean())


def neighbour_purity(documents: Documents, weights: Array) -> float:
    """Share of the `NEIGHBOURS` nearest documents that are of a document's class."""
    return float(np.average(documents.near, weights=weights))


MEASURES: dict[str, Callable[[Documents, Array], float]] = {
    "same_class": alike,
    "other_class": unlike,
    "alignment": alignment,
    "uniformity": uniformity,
    "silhouette": silhouettes,
    "davies_bouldin": davies_bouldin,
    "neighbour_purity": neighbour_purity,
}
PROBE = "probe_macro_f1"


def document_space(documents: Documents, draws: int, confidence: float, seed: int) -> list[Row]:
    """Rows: measure, value, lower, upper, documents. The last measure is the macro F1 of a linear
    probe on documents that it has not seen."""
    said = probe(documents, seed)

    def probed(documents: Documents, weights: Array) -> float:
        return macro_f1(documents.classes, said, weights)

    rng = generator(seed, "documents")
    clusters = int(documents.clusters.max()) + 1
    drawn = [
        np.bincount(rng.integers(clusters, size=clusters), minlength=clusters) for _ in range(draws)
    ]
    every = np.ones(len(documents.classes))
    ends = [50 * (1 - confidence), 50 * (1 + confidence)]
    rows = []
    for name, of in {**MEASURES, PROBE: probed}.items():
        value = of(documents, every)
        values = [of(documents, counts[documents.clusters].astype(float)) for counts in drawn]
        lower, upper = np.nanpercentile(values, ends) + value - np.nanmean(values)
        rows.append(
            {
                "measure": name,
                "value": value,
                "lower": float(lower),
                "upper": float(upper),
                "documents": len(every),
            }
        )
    return rows


def probe(documents: Documents, seed: int) -> Numbers:
    """The class [n] that a regularised logistic regression says of each document, fitted without
    its cluster; all classes weigh alike."""
    from sklearn.linear_model import LogisticRegression

    rng = generator(seed, "probe")
    fold = rng.permutation(int(documents.clusters.max()) + 1)[documents.clusters] % FOLDS
    said = np.zeros(len(fold), np.int64)
    for number in np.unique(fold):
        out = fold == number
        model = LogisticRegression(class_weight="balanced", max_iter=1000)
        model.fit(documents.units[~out], documents.classes[~out])
        said[out] = model.predict(documents.units[out])
    return said


def macro_f1(truth: Numbers, said: Numbers, weights: Array) -> float:
    """Mean over classes, as `evaluation.metrics` has it."""
    count = int(max(truth.max(), said.max())) + 1
    right = np.bincount(truth[truth == said], weights[truth == said], count)
    each = np.bincount(truth, weights, count), np.bincount(said, weights, count)
    there = each[0] > 0
    return float((2 * right[there] / (each[0] + each[1])[there]).mean())


def document_map(sites: Sequence[Documents], names: Sequence[str]) -> Iterator[Row]:
    """Documents of several sites on the first two principal components of all.

    names: of the classes. Rows: place (of the site), class, x, y, share_x, share_y.
    """
    chosen = [
        np.linspace(0, len(own.classes) - 1, min(MOST_SHOWN, len(own.classes))).astype(int)
        for own in sites
    ]
    shown = [own.units[rows] for own, rows in zip(sites, chosen, strict=True)]
    coordinates, shares = plane(np.concatenate(shown))
    labels = [own.names[own.classes[rows]] for own, rows in zip(sites, chosen, strict=True)]
    places = np.repeat(np.arange(len(sites)), [len(rows) for rows in chosen])
    for (x, y), label, place in zip(coordinates, np.concatenate(labels), places, strict=True):
        yield {
            "place": int(place),
            "class": names[int(label)],
            "x": float(x),
            "y": float(y),
            "share_x": float(shares[0]),
            "share_y": float(shares[1]),
        }


def _of_pairs(values: Array, weights: Array) -> float:
    """The sum over ordered pairs of different documents; copies of one are no pair."""
    return float(weights @ values @ weights - weights**2 @ np.diag(values))
