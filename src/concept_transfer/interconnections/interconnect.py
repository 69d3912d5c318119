"""Which codes belong together, by every method, and who of them foretells other patients' edges.

Clusters are halved by the seed: what one half teaches is judged on the other, and what a site
teaches on every other site. What is described (graphs, pairs) is of all patients together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.random import generator
from concept_transfer.cell import ALL_SITES
from concept_transfer.interconnections.agreement import agreement
from concept_transfer.interconnections.code_sets import CodeSets, joined
from concept_transfer.interconnections.counts import (
    Array,
    PairCounts,
    all_pairs,
    counts_by,
    expected_within,
    pair_counts,
)
from concept_transfer.interconnections.graphs import (
    CONSENSUS,
    communities,
    consensus,
    described,
    graph_of,
)
from concept_transfer.interconnections.judging import Ranking, judged
from concept_transfer.interconnections.matrices import of_pairs
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import Learned
from concept_transfer.interconnections.nodes import Nodes
from concept_transfer.interconnections.resampling import interval, resampled
from concept_transfer.interconnections.shrinkage import shrunken_log_ratios
from concept_transfer.interconnections.truth import Truth, of_either, truth_of
from concept_transfer.settings.interconnections import Interconnections

Flags = NDArray[np.bool_]
Row = dict[str, Any]
HALVES = ("half a", "half b")
ADJUSTED = ("age", "sex")


@dataclass(frozen=True)
class Question:
    """All that the analysis is asked.

    sites: name -> its sets of the K codes; vectors: embedding -> [K, width]; encoders: name ->
    folder; prepared: method -> scores that need no patient; known_to: method -> sites that it has
    read outside of the learning part; links: planted ones, bool [K, K], from cause to effect, or
    None; small_cells: a pair of fewer patients is in no row of `pairs`.
    """

    settings: Interconnections
    nodes: Nodes
    sites: Mapping[str, CodeSets]
    seed: int
    small_cells: int
    confidence: float
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    encoders: Mapping[str, Path] = field(default_factory=dict)
    prepared: Mapping[str, Array] = field(default_factory=dict)
    known_to: Mapping[str, frozenset[str]] = field(default_factory=dict)
    links: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Findings:
    """What some patients show: scores of every method, a number a pair and in their order (of
    directed methods the whole matrix too), and what is true among them; expected: how many would
    have both codes by chance within groups of age and sex."""

    sets: CodeSets
    scores: dict[str, Array]
    rankings: dict[str, Ranking]
    directed: dict[str, Array]
    truth: Truth
    expected: Array


def interconnect(question: Question) -> dict[str, list[Row]]:
    """The rows of every table of `schemas.TABLES`."""
    parts = _parts(question)
    unlearned = _unlearned(parts[ALL_SITES], question)
    question = replace(question, prepared={**unlearned, **question.prepared})
    found = {name: _findings(sets, question) for name, sets in parts.items()}
    whole = found[ALL_SITES]
    count = _count(question, whole.truth)
    rng = generator(question.seed, "graphs")
    size = len(whole.expected)
    graphs = {name: own.top(count, size, rng) for name, own in whole.rankings.items()}
    performance, differences = _performance(found, question)
    unique_hold = _unique_hold(found, question)
    pairs = all_pairs(len(question.nodes))
    saying = [name for name in graphs if not _method(question, name).control] or list(graphs)
    agreed = consensus({name: graphs[name] for name in saying})
    seed = int(generator(question.seed, "communities").integers(2**31))
    rows = described({**graphs, CONSENSUS: agreed}, pairs, len(question.nodes), seed)
    return {
        "performance": performance,
        "differences": differences,
        "agreement": list(
            agreement(
                whole.scores,
                graphs,
                len(question.nodes),
                question.settings.permutations,
                generator(question.seed, "permutations"),
            )
        ),
        "graphs": [
            {**row, "unique_hold": unique_hold.get(str(row["method"]), float("nan"))}
            for row in rows
        ],
        "sites": list(_shared(found, question)),
        "pairs": list(_pairs(found, graphs, question)),
        "codes": list(_codes(whole, seed, question)),
    }


def _parts(question: Question) -> dict[str, CodeSets]:
    """All patients, those of either half of the clusters, and those of every site."""
    sites = question.sites
    whole = joined(list(sites.values()))
    half = generator(question.seed, "halves").permutation(int(whole.cluster.max()) + 1) % 2
    halves = {
        name: whole.select(np.flatnonzero(half[whole.cluster] == number))
        for number, name in enumerate(HALVES)
    }
    return {ALL_SITES: whole, **halves, **(sites if len(sites) > 1 else {})}


def _learned(sets: CodeSets, question: Question) -> Learned:
    """What methods may know of some patients."""
    groups = dict[tuple[str, ...], list[PairCounts]]()

    def strata(by: tuple[str, ...]) -> list[PairCounts]:
        if by not in groups:
            groups[by] = counts_by(sets, sets.strata(by))
        return groups[by]

    counts = pair_counts(sets.codes, len(question.nodes))
    return Learned(question.nodes, sets, counts, strata, question.vectors, question.encoders)


def _unlearned(sets: CodeSets, question: Question) -> dict[str, Array]:
    """Scores of the methods that learn from no patient, whoever is given."""
    learned, found = _learned(sets, question), {}
    for name, section in question.settings.methods.items():
        method = METHODS[section.kind]
        if method.scores is not None and not method.learns:
            found[name] = method.scores(section, learned)
    return found


def _findings(sets: CodeSets, question: Question) -> Findings:
    settings, learned = question.settings, _learned(sets, question)
    scores, directed = {}, {}
    for name, section in settings.methods.items():
        method = METHODS[section.kind]
        matrix = question.prepared.get(name)
        if matrix is None:
            assert method.scores is not None, name
            matrix = method.scores(section, learned)
        scores[name] = of_pairs(matrix)
        if method.directed:
            directed[name] = matrix
    within = learned.strata(ADJUSTED)
    truth = truth_of(
        learned.counts, within, settings.edges, question.small_cells, question.confidence
    )
    rankings = {name: Ranking.of(own) for name, own in scores.items()}
    expected = expected_within(within)[all_pairs(len(question.nodes))]
    return Findings(sets, scores, rankings, directed, truth, expected)


def _method(question: Question, name: str) -> Any:
    return METHODS[question.settings.methods[name].kind]


def _count(question: Question, truth: Truth) -> int:
    """Edges of a graph: as many as are true, or the share of the settings."""
    density = question.settings.density
    if density is None:
        return int(truth.significant.sum())
    return round(density * len(truth.significant))


def _directions(question: Question) -> Iterator[tuple[str, str]]:
    """(learned from, judged on). What learns from no patient is judged on all of them, too."""
    yield ALL_SITES, ALL_SITES
    yield from permutations(HALVES, 2)
    if len(question.sites) > 1:
        yield from permutations(question.sites, 2)


def _may_judge(question: Question, name: str, learned: str, on: str) -> bool:
    """Whether a method has learned from none of the patients that it is judged on."""
    method = _method(question, name)
    read = question.known_to.get(name, frozenset())
    if read:
        return on in question.sites and on not in read
    return learned != on or not method.learns or method.control


def _performance(found: Mapping[str, Findings], question: Question) -> tuple[list[Row], list[Row]]:
    """Rows on how methods foretell edges, with intervals where one half judges the other."""
    rows, differences = list[Row](), list[Row]()
    planted = None if question.links is None else of_either(question.links)
    for learned, on in _directions(question):
        truth, said = found[on].truth, found[learned].rankings
        chosen = {n: s for n, s in said.items() if _may_judge(question, n, learned, on)}
        names = {"learned": "" if learned == on else learned, "judged": on}
        rare = truth.expected < question.settings.edges.common
        everything = np.ones(len(rare), bool)
        strata = {"all": everything, "rare": rare, "common": ~rare}
        if learned != on:
            strata["new"] = ~found[learned].truth.significant
        for name, ranking in chosen.items():
            judge = {
                "significant": (truth.significant, strata),
                "strong": (truth.strong, {"all": everything}),
            }
            if planted is not None:
                judge["planted"] = (planted, {"all": everything})
            for kind, (edges, members) in judge.items():
                own = judged(ranking, edges, members, question.settings.density)
                rows += [{**names, "method": name, "truth": kind, **row} for row in own]
            own = _direction(found, learned, on, name, question)
            rows += [{**names, "method": name, **row} for row in own]
        if on in HALVES:
            bounds, apart = _resampled(chosen, found[on], question, names)
            rows = [bounds.get(_key(row), {}) | row for row in rows]
            rows += [row for key, row in bounds.items() if key[-1] == "ratio"]
            differences += apart
    return rows, differences


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[k] for k in ("learned", "judged", "method", "truth", "stratum", "measure"))


def _direction(
    found: Mapping[str, Findings], learned: str, on: str, name: str, question: Question
) -> Iterator[Row]:
    """Of a directed method: of the planted links, the share whose cause it puts first; and of the
    edges of the judging part, the share that it puts in the order seen there."""
    matrix = found[learned].directed.get(name)
    if matrix is None:
        return
    pairs = all_pairs(len(matrix))
    first = np.sign(np.nan_to_num(matrix[pairs]))
    row = {"stratum": "all", "measure": "direction", "no_skill": 0.5, "pairs": len(first)}
    if question.links is not None:
        one, other = question.links[pairs], question.links.T[pairs]
        told = one != other
        right = np.where(one, first > 0, first < 0) + 0.5 * (first == 0)
        yield {
            **row,
            "truth": "planted",
            "edges": int(told.sum()),
            "value": float(right[told].mean()) if told.any() else float("nan"),
        }
    there = np.sign(np.nan_to_num(found[on].directed[name][pairs]))
    edges = found[on].truth.significant & (there != 0)
    agree = (first == there) + 0.5 * (first == 0)
    yield {
        **row,
        "truth": "significant",
        "edges": int(edges.sum()),
        "value": float(agree[edges].mean()) if edges.any() and learned != on else float("nan"),
    }


def _resampled(
    rankings: Mapping[str, Ranking], on: Findings, question: Question, names: Row
) -> tuple[dict[tuple[Any, ...], Row], list[Row]]:
    """Bounds of precision among all pairs, rows of ratios, and differences of methods in both."""
    rng = generator(question.seed, "resampling", names["judged"])
    count = _count(question, on.truth)
    size = len(on.expected)
    graphs = {name: own.top(count, size, rng) for name, own in rankings.items()}
    pairs, settings = all_pairs(len(question.nodes)), question.settings
    draws = resampled(on.sets, graphs, pairs, on.truth.limit, settings.draws, rng)
    rows, differences = {}, []
    for name in graphs:
        for measure, own in (("precision", draws.precision), ("ratio", draws.ratio)):
            lower, upper, bias = interval(own[name], question.confidence)
            row = {
                **names,
                "method": name,
                "truth": "significant",
                "stratum": "all",
                "measure": measure,
                "lower": lower,
                "upper": upper,
                "bias": bias,
            }
            if measure == "ratio":
                row |= {"value": float(own[name][0]), "no_skill": 1.0}
                row |= {"pairs": len(pairs[0]), "edges": int(graphs[name].sum())}
            rows[_key(row)] = row
    for one, other in combinations(graphs, 2):
        for measure, own in (("precision", draws.precision), ("ratio", draws.ratio)):
            apart = own[one] - own[other]
            lower, upper, _ = interval(apart, question.confidence)
            told = {"difference": float(apart[0]), "lower": lower, "upper": upper}
            differences.append({**names, "a": one, "b": other, "measure": measure, **told})
    return rows, differences


def _unique_hold(found: Mapping[str, Findings], question: Question) -> dict[str, float]:
    """Method -> of the edges that no other method has, learned from one half, the share that holds
    in the other; mean of both directions."""
    shares: dict[str, list[float]] = {}
    for learned, on in permutations(HALVES, 2):
        truth, rng = found[on].truth, generator(question.seed, "unique", learned)
        graphs = {
            name: own.top(_count(question, truth), len(truth.log_p), rng)
            for name, own in found[learned].rankings.items()
            if _may_judge(question, name, learned, on)
        }
        times = np.sum(list(graphs.values()), axis=0)
        for name, edges in graphs.items():
            alone = edges & (times == 1)
            if alone.any():
                shares.setdefault(name, []).append(float(truth.significant[alone].mean()))
    return {name: float(np.mean(values)) for name, values in shares.items()}


def _shared(found: Mapping[str, Findings], question: Question) -> Iterator[Row]:
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


def _pairs(
    found: Mapping[str, Findings], graphs: Mapping[str, Flags], question: Question
) -> Iterator[Row]:
    """Pairs of at least `small_cells` patients, those that belong together most surely first."""
    whole, nodes = found[ALL_SITES], question.nodes
    truth, pairs = whole.truth, all_pairs(len(nodes))
    expected = whole.expected
    ratio = np.exp(shrunken_log_ratios(truth.together, expected))
    lower, upper = truth.odds.bounds(question.confidence)
    halves = [found[name].truth.significant for name in HALVES]
    least = max(question.small_cells, 1)
    sites = {
        name: found[name].truth.significant & (found[name].truth.together >= least)
        for name in (question.sites if len(question.sites) > 1 else ())
    }
    foretold = _foretold(found, question)
    planted = None if question.links is None else of_either(question.links)
    shown = np.flatnonzero(truth.together >= least)
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
            if _may_judge(question, name, learned, on) and not _method(question, name).control:
                edges = own.top(_count(question, truth), len(new), rng) & new
                foretold[name] = foretold.get(name, np.zeros(len(new), bool)) | edges
    return foretold


def _codes(whole: Findings, seed: int, question: Question) -> Iterator[Row]:
    """Every code with its patients, and its place in the graph of edges that may be shown."""
    nodes, truth = question.nodes, whole.truth
    shown = truth.significant & (truth.together >= max(question.small_cells, 1))
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
