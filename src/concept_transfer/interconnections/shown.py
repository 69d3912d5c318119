"""What pairs, codes and sites show: the rows that a reader looks things up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.random import generator
from concept_transfer.cell import ALL_SITES
from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.counts import all_pairs, patients_together
from concept_transfer.interconnections.findings import Findings
from concept_transfer.interconnections.graphs import communities, graph_of
from concept_transfer.interconnections.question import (
    HALVES,
    Question,
    edge_count,
    may_judge,
    record_of,
)
from concept_transfer.interconnections.shrinkage import shrunken_log_ratios
from concept_transfer.interconnections.truth import of_either

Flags = NDArray[np.bool_]
Row = dict[str, Any]


def unique_hold(found: Mapping[str, Findings], question: Question) -> dict[str, float]:
    """Method -> of the edges that no other method has, learned from one half, the share that holds
    in the other; mean of both directions."""
    shares: dict[str, list[float]] = {}
    for learned, on in permutations(HALVES, 2):
        truth, rng = found[on].truth, generator(question.seed, "unique", learned)
        graphs = {
            name: own.top(edge_count(question, truth), len(truth.log_p), rng)
            for name, own in found[learned].rankings.items()
            if may_judge(question, name, learned, on)
        }
        times = np.sum(list(graphs.values()), axis=0)
        for name, edges in graphs.items():
            alone = edges & (times == 1)
            if alone.any():
                shares.setdefault(name, []).append(float(truth.significant[alone].mean()))
    return {name: float(np.mean(values)) for name, values in shares.items()}


def shared_edges(found: Mapping[str, Findings], question: Question) -> Iterator[Row]:
    """How many edges two sites share, or two halves."""
    sites = list(question.sites) if len(question.sites) > 1 else []
    for one, other in [HALVES, *combinations(sites, 2)]:
        a, b = found[one].truth.significant, found[other].truth.significant
        shared, either = int((a & b).sum()), int((a | b).sum())
        yield {
            "a": one,
            "b": other,
            "edges_a": int(a.sum()),
            "edges_b": int(b.sum()),
            "shared": shared,
            "jaccard": shared / either if either else float("nan"),
        }


def enough(sets: CodeSets, question: Question) -> Flags:
    """Which pairs at least `small_cells` patients have, bool [pairs]: a patient with many visits is
    one."""
    patients = patients_together(sets)[all_pairs(len(sets.names))]
    return patients >= max(question.small_cells, 1)


def pair_rows(
    found: Mapping[str, Findings],
    graphs: Mapping[str, Flags],
    agreed: Flags,
    question: Question,
) -> Iterator[Row]:
    """Pairs of at least `small_cells` patients, those that belong together most surely first.

    agreed: those of the consensus.
    """
    whole, nodes = found[ALL_SITES], question.nodes
    truth, pairs = whole.truth, all_pairs(len(nodes))
    expected = whole.expected
    ratio = np.exp(shrunken_log_ratios(truth.together, expected))
    lower, upper = truth.odds.bounds(question.confidence)
    halves = [found[name].truth.significant for name in HALVES]
    sites = {
        name: found[name].truth.significant & enough(found[name].sets, question)
        for name in (question.sites if len(question.sites) > 1 else ())
    }
    foretold = _foretold(found, question)
    planted = None if question.links is None else of_either(question.links)
    shown = np.flatnonzero(enough(whole.sets, question))
    for place in shown[np.argsort(truth.log_p[shown], kind="stable")]:
        yield {
            "code_a": nodes.code[pairs[0][place]],
            "code_b": nodes.code[pairs[1][place]],
            "patients": int(truth.together[place]),
            "expected": float(expected[place]),
            "ratio": float(ratio[place]),
            "odds_ratio": float(np.exp(truth.odds.log[place])),
            "lower": float(lower[place]),
            "upper": float(upper[place]),
            "log10_p": float(truth.log_p[place] / np.log(10)),
            "significant": bool(truth.significant[place]),
            "replicated": bool(halves[0][place] and halves[1][place]),
            "planted": None if planted is None else bool(planted[place]),
            "consensus": bool(agreed[place]),
            "sites": [name for name, edges in sites.items() if edges[place]],
            "methods": [name for name, edges in graphs.items() if edges[place]],
            "foretold": [name for name, edges in foretold.items() if edges[place]],
        }


def _foretold(found: Mapping[str, Findings], question: Question) -> dict[str, Flags]:
    """Method -> edges of one half that are none in the other, from which the method had them."""
    foretold: dict[str, Flags] = {}
    for learned, on in permutations(HALVES, 2):
        truth, rng = found[on].truth, generator(question.seed, "foretold", learned)
        new = truth.significant & ~found[learned].truth.significant
        for name, own in found[learned].rankings.items():
            if may_judge(question, name, learned, on) and not record_of(question, name).control:
                edges = own.top(edge_count(question, truth), len(new), rng) & new
                foretold[name] = foretold.get(name, np.zeros(len(new), bool)) | edges
    return foretold


def code_rows(whole: Findings, seed: int, question: Question) -> Iterator[Row]:
    """Every code with its patients, and its place in the graph of edges that may be shown."""
    nodes, truth = question.nodes, whole.truth
    shown = truth.significant & enough(whole.sets, question)
    graph = graph_of(shown, all_pairs(len(nodes)), len(nodes))
    groups = communities(graph, seed)
    community = {code: number for number, group in enumerate(groups, 1) for code in group}
    patients = whole.sets.codes.counts(len(nodes))
    for place, code in enumerate(nodes.code):
        yield {
            "code": code,
            "name": nodes.name[place],
            "block": nodes.block[place],
            "block_name": nodes.block_name[place],
            "chapter": nodes.chapter[place],
            "chapter_name": nodes.chapter_name[place],
            "patients": int(patients[place]),
            "degree": graph.degree(place),
            "community": community[place],
        }
