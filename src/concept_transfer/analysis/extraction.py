"""How right findings are that were read from notes, where the same encounters' own are known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows

_DRAWS_AT_ONCE = 64


@dataclass(frozen=True)
class Recorded:
    """Findings of n encounters: the site's name, the id and cluster of each, and its tokens."""

    site: str
    encounter: NDArray[np.object_]
    cluster: NDArray[np.object_]
    findings: CompressedRows


def findings_accuracy(
    read: Recorded,
    gold: Recorded,
    vocabulary: Vocabulary,
    besides: Collection[str],
    draws: int,
    confidence: float,
    seed: int,
) -> list[dict[str, Any]]:
    """A row a state of a concept, and before them one of all together (concept "").

    A finding is right that the gold site has at the same encounter. precision: right ones among
    those read; recall: among those of the gold site; percentile intervals of a bootstrap over
    clusters of encounters (Efron 1979, doi:10.1214/aos/1176344552). Concepts `besides` were not
    read from notes and are left out, and so are states that neither site has. Raises StudyError
    where no encounter is at both sites.
    """
    ids, here, there = np.intersect1d(
        read.encounter.astype(str), gold.encounter.astype(str), return_indices=True
    )
    if not len(ids):
        raise StudyError(
            f"sites.{read.site}: gold names '{gold.site}', but no encounter's id is at both sites; "
            "they must have the same encounters"
        )
    kept = ~np.isin(vocabulary.concepts, list(besides))
    of_read = read.findings.select(here).matrix(len(vocabulary))[:, kept]
    of_gold = gold.findings.select(there).matrix(len(vocabulary))[:, kept]
    right = of_read.multiply(of_gold)
    _, cluster = np.unique(read.cluster[here].astype(str), return_inverse=True)
    sums = [_by_cluster(matrix, cluster) for matrix in (of_read, of_gold, right)]
    counts = np.stack([matrix.sum(axis=0) for matrix in sums])
    bounds = _bounds(sums, draws, confidence, seed)
    shared = {"site": read.site, "gold": gold.site, "encounters": len(ids)}
    all_of_them = dict.fromkeys(("concept", "name", "category", "state"), "")
    tokens = np.flatnonzero(kept)
    rows = [shared | all_of_them | _row(counts.sum(axis=1), bounds[..., -1])]
    for column, token in enumerate(tokens.tolist()):
        if counts[:2, column].any():
            words = {
                "concept": vocabulary.concepts[token],
                "name": vocabulary.names[token],
                "category": vocabulary.categories[token],
                "state": vocabulary.states[token],
            }
            rows.append(shared | words | _row(counts[:, column], bounds[..., column]))
    return rows


def _by_cluster(matrix: Any, cluster: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over the encounters of each cluster, [clusters, tokens]."""
    rows = np.arange(len(cluster))
    member = csr_array((np.ones(len(cluster)), (cluster, rows)))
    return np.asarray((member @ matrix).toarray())


def _bounds(
    sums: list[NDArray[np.float64]], draws: int, confidence: float, seed: int
) -> NDArray[np.float64]:
    """Lower and upper bound of precision and recall, [2, 2, tokens + 1]: the last of all tokens."""
    stacked = np.concatenate([np.column_stack([each, each.sum(axis=1)]) for each in sums], axis=1)
    clusters, rng = len(stacked), np.random.default_rng(seed)
    ratios = []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        count = min(_DRAWS_AT_ONCE, draws - start)
        weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), count)
        read, gold, right = np.split(weights @ stacked, 3, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios.append(np.stack([right / read, right / gold]))
    tail = (1 - confidence) / 2
    drawn = np.concatenate(ratios, axis=1)
    empty = np.isnan(drawn).all(axis=1)
    filled = np.where(empty[:, None], 0, drawn)
    found = np.nanquantile(filled, [tail, 1 - tail], axis=1).swapaxes(0, 1)
    return np.asarray(np.where(empty[:, None], np.nan, found))


def _row(counts: NDArray[np.float64], bounds: NDArray[np.float64]) -> dict[str, Any]:
    read, gold, right = (int(count) for count in counts)
    row: dict[str, Any] = {"read": read, "true": gold, "right": right}
    for name, among, (lower, upper) in zip(
        ("precision", "recall"), (read, gold), bounds, strict=True
    ):
        if among:
            row |= {name: right / among, f"{name}_lower": lower, f"{name}_upper": upper}
    return row
