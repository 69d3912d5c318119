"""How methods foretell the edges of patients that they have not seen, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.random import generator
from concept_transfer.interconnections.counts import Array, all_pairs
from concept_transfer.interconnections.findings import Findings
from concept_transfer.interconnections.judging import Ranking, judged
from concept_transfer.interconnections.question import (
    HALVES,
    Question,
    directions,
    edge_count,
    may_judge,
)
from concept_transfer.interconnections.resampling import interval, resampled, resampled_areas
from concept_transfer.interconnections.truth import of_either

Row = dict[str, Any]


def performance(found: Mapping[str, Findings], question: Question) -> tuple[list[Row], list[Row]]:
    """Rows on how methods foretell edges, with intervals where one half judges the other."""
    rows, differences = list[Row](), list[Row]()
    planted = None if question.links is None else of_either(question.links)
    for learned, on in directions(question):
        truth, said = found[on].truth, found[learned].rankings
        chosen = {n: s for n, s in said.items() if may_judge(question, n, learned, on)}
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
        if learned == on:
            told = {name: strata[name] for name in ("all", "common")}
            bounds, apart = _areas(chosen, found[on], told, question, names)
            rows = [bounds.get(_key(row), {}) | row for row in rows]
            differences += apart
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
    count = edge_count(question, on.truth)
    size = len(on.expected)
    graphs = {name: own.top(count, size, rng) for name, own in rankings.items()}
    pairs, settings = all_pairs(len(question.nodes)), question.settings
    draws = resampled(on.sets, graphs, pairs, on.truth.limit, settings.draws, rng)
    rows, differences = {}, list[Row]()
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
    for measure, own in (("precision", draws.precision), ("ratio", draws.ratio)):
        differences += _differences(own, measure, question, names)
    return rows, differences


def _areas(
    rankings: Mapping[str, Ranking],
    on: Findings,
    strata: Mapping[str, NDArray[np.bool_]],
    question: Question,
    names: Row,
) -> tuple[dict[tuple[Any, ...], Row], list[Row]]:
    """Bounds of the area under the ROC curve in strata, and differences of methods in it."""
    scores, settings = {name: on.scores[name] for name in rankings}, question.settings
    bounds, differences = dict[tuple[Any, ...], Row](), list[Row]()
    for stratum, members in strata.items():
        rng = generator(question.seed, "areas", names["judged"], stratum)
        drawn = resampled_areas(
            on.sets,
            scores,
            all_pairs(len(question.nodes)),
            members,
            on.truth.expected,
            on.truth.limit,
            settings.draws,
            rng,
        )
        for name, own in drawn.items():  # some of the pairs say how far the value of all varies
            area, _ = rankings[name].curve(on.truth.significant, members).areas
            own += area - own[0]
            lower, upper, bias = interval(own, question.confidence)
            row: Row = {**names, "method": name, "truth": "significant"}
            row |= {"stratum": stratum, "measure": "auroc"}
            bounds[_key(row)] = row | {"lower": lower, "upper": upper, "bias": bias}
        differences += _differences(drawn, f"auroc_{stratum}", question, names)
    return bounds, differences


def _differences(
    drawn: Mapping[str, Array], measure: str, question: Question, names: Row
) -> Iterator[Row]:
    """Every method less every later one, on the same draws."""
    for one, other in combinations(drawn, 2):
        apart = drawn[one] - drawn[other]
        lower, upper, _ = interval(apart, question.confidence)
        told = {"difference": float(apart[0]), "lower": lower, "upper": upper}
        yield {**names, "a": one, "b": other, "measure": measure, **told}
