"""Which method foretells the edges of hospitals that it has not seen, over many halvings.

``python -m benchmarks.interconnections_halves results/nhamcs_interconnections [HALVINGS]``:
clusters are halved at random, each half learns and judges once. The table has means over halvings,
and paired differences, with the range of 95 % of halvings (normal, from their spread).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import table
from concept_transfer.interconnections.code_sets import CodeSets, joined
from concept_transfer.interconnections.counts import counts_by, pair_counts
from concept_transfer.interconnections.judging import Ranking
from concept_transfer.interconnections.matrices import of_pairs
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import Learned
from concept_transfer.interconnections.nodes import Nodes, numbered
from concept_transfer.interconnections.truth import Truth, truth_of
from concept_transfer.settings.interconnections import CodeNodes, Edges

NODES = CodeNodes(read="codes", characters=3, min_patients=30)
SMALL, CONFIDENCE = 11, 0.95
ASKED: dict[str, dict[str, Any]] = {
    "shrunken": {"kind": "shrunken"},
    "shrunken, one prior": {"kind": "shrunken", "company": False},
    "shrunken within age and sex": {"kind": "shrunken", "by": ["age", "sex"]},
    "fisher": {"kind": "fisher"},
    "fisher, mid-p": {"kind": "fisher", "mid": True},
    "pmi": {"kind": "pmi"},
    "cooccurrence": {"kind": "cooccurrence"},
}
AGAINST = "fisher"


def visits(folder: Path) -> tuple[Nodes, CodeSets]:
    """The nodes of a study of NHAMCS, and the visits of all its sites."""
    nodes = Nodes.read(folder / "interconnections" / "nodes.tsv")
    sites = [CodeSets.read(path) for path in sorted((folder / "code_sets").glob("*.npz"))]
    return nodes, joined(
        [sets.renamed(numbered(sets.names, NODES, nodes.code)[1], nodes.code) for sets in sites]
    )


def half(sets: CodeSets, nodes: Nodes) -> tuple[Learned, Truth]:
    """What some patients teach, and what is true among them."""

    def strata(by: tuple[str, ...]) -> list[Any]:
        return counts_by(sets, sets.strata(by))

    counts = pair_counts(sets.codes, len(nodes))
    truth = truth_of(counts, strata(("age", "sex")), Edges(), SMALL, CONFIDENCE)
    return Learned(nodes, sets, counts, strata), truth


def judged(folder: Path, halvings: int) -> Iterator[dict[str, Any]]:
    """A row a halving, direction and method."""
    nodes, whole = visits(folder)
    for seed in range(halvings):
        order = np.random.default_rng(seed).permutation(int(whole.cluster.max()) + 1) % 2
        parts = [
            half(whole.select(np.flatnonzero(order[whole.cluster] == part)), nodes)
            for part in (0, 1)
        ]
        for (learned, own), (_, truth) in (parts, parts[::-1]):
            new, everywhere = ~own.significant, np.ones(len(own.expected), bool)
            for name, given in ASKED.items():
                record = METHODS[given["kind"]]
                assert record.scores is not None
                scores = record.scores(record.settings.model_validate(given), learned)
                ranking = Ranking.of(of_pairs(scores))
                row = {"halving": seed, "method": name}
                for column, edges in (("precision", truth.significant), ("strong", truth.strong)):
                    curve = ranking.curve(edges, everywhere)
                    row[column] = curve.precision(int(edges.sum()))
                yield row | {"new": ranking.curve(truth.significant, new).areas[0]}


def report(folder: Path, halvings: int) -> str:
    rows = pd.DataFrame(judged(folder, halvings))
    means = rows.groupby(["method", "halving"], sort=False).mean()
    lines = []
    for name in ASKED:
        own, other = means.loc[name], means.loc[AGAINST]
        apart = own["precision"] - other["precision"]
        lines.append(
            [
                name,
                *(_mean(own[column]) for column in ("precision", "strong", "new")),
                "" if name == AGAINST else _mean(apart),
            ]
        )
    return table(
        ["method", "precision", "second truth", "AUROC, new", f"precision less {AGAINST}"], lines
    )


def _mean(values: pd.Series) -> str:
    """The mean over halvings, and the range of 95 % of halvings about it."""
    spread = 1.96 * values.std()
    return f"{values.mean():.3f} [{values.mean() - spread:.3f}, {values.mean() + spread:.3f}]"


if __name__ == "__main__":
    print(report(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10))
