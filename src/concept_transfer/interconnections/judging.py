"""How well scores of pairs foretell edges among other patients, at equal density."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.interconnections.counts import Array

Flags = NDArray[np.bool_]
FEWEST = 5  # edges, and pairs that are none, below which nothing is said


@dataclass(frozen=True)
class Ranking:
    """Pairs in the order of their scores, the highest first, without those that have none (NaN).

    places: int64 [known]; values: float64 [known], their scores.
    """

    places: NDArray[np.int64]
    values: Array

    @classmethod
    def of(cls, scores: Array) -> Ranking:
        known = np.flatnonzero(~np.isnan(scores))
        places = known[np.argsort(-scores[known], kind="stable")]
        return cls(places, scores[places])

    def top(self, count: int, pairs: int, rng: np.random.Generator) -> Flags:
        """The `count` pairs of the highest scores, bool [pairs]; ties are drawn by lot. There are
        fewer where fewer have a score."""
        chosen = np.zeros(pairs, bool)
        count = min(count, len(self.places))
        if count:
            border = self.values[count - 1]
            above, tied = self.places[self.values > border], self.places[self.values == border]
            chosen[above] = True
            chosen[rng.permutation(tied)[: count - len(above)]] = True
        return chosen

    def curve(self, edges: Flags, members: Flags) -> Curve:
        """How many edges are found as pairs of `members` are chosen from the top."""
        kept = members[self.places]
        values, true = self.values[kept], edges[self.places[kept]]
        ends = np.flatnonzero(np.append(values[1:] != values[:-1], [True] * min(len(values), 1)))
        found = np.append(0, np.cumsum(true)[ends])
        return Curve(np.append(0, ends + 1).astype(float), found.astype(float))


@dataclass(frozen=True)
class Curve:
    """chosen: how many pairs have at least the score, for each that occurs, from 0; found: how many
    of them are edges."""

    chosen: Array
    found: Array

    def precision(self, count: int) -> float:
        """Share of edges among the `count` highest pairs; of pairs that are tied at the border each
        counts by its chance to be drawn, and pairs without a score find nothing.

        >>> ranking = Ranking.of(np.array([3.0, 2, 2, 1]))
        >>> edges, everywhere = np.array([True, True, False, True]), np.ones(4, bool)
        >>> ranking.curve(edges, everywhere).precision(2)
        0.75
        """
        if count == 0:
            return float("nan")
        return float(np.interp(count, self.chosen, self.found) / count)

    @property
    def areas(self) -> tuple[float, float]:
        """Areas under the ROC curve and the precision-recall curve (average precision), among the
        pairs that have a score; NaN with few edges or few others."""
        edges, others = self.found[-1], self.chosen[-1] - self.found[-1]
        if min(edges, others) < FEWEST:
            return float("nan"), float("nan")
        found, missed = np.diff(self.found), np.diff(self.chosen - self.found)
        roc = (missed * (self.found[1:] + self.found[:-1]) / 2).sum() / (edges * others)
        recall = (found * self.found[1:] / self.chosen[1:]).sum() / edges
        return float(roc), float(recall)


def judged(
    ranking: Ranking, edges: Flags, strata: Mapping[str, Flags], density: float | None
) -> Iterator[dict[str, str | float | int]]:
    """Rows of stratum, measure, value, no_skill (what lots would give), pairs and edges.

    density: share of a stratum's pairs that are chosen; None: as many as there are edges.
    """
    for name, members in strata.items():
        size, true = int(members.sum()), int(edges[members].sum())
        row: dict[str, str | float | int] = {"stratum": name, "pairs": size, "edges": true}
        count = true if density is None else round(density * size)
        curve = ranking.curve(edges, members)
        precision = curve.precision(count) if true >= FEWEST else float("nan")
        auroc, auprc = curve.areas
        share = true / size if size else float("nan")
        recall = precision * count / max(true, 1)
        yield {**row, "measure": "precision", "value": precision, "no_skill": share}
        yield {**row, "measure": "recall", "value": recall, "no_skill": count / max(size, 1)}
        yield {**row, "measure": "auroc", "value": auroc, "no_skill": 0.5}
        yield {**row, "measure": "auprc", "value": auprc, "no_skill": share}
