"""What the analysis of interconnections is asked, and who may judge whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.random import generator
from concept_transfer.cell import ALL_SITES
from concept_transfer.interconnections.code_sets import CodeSets, joined
from concept_transfer.interconnections.counts import Array
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import Method
from concept_transfer.interconnections.nodes import Nodes
from concept_transfer.interconnections.truth import Truth
from concept_transfer.settings.interconnections import Interconnections

HALVES = ("half a", "half b")


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


def parts_of(question: Question) -> dict[str, CodeSets]:
    """All patients, those of either half of the clusters, and those of every site."""
    sites = question.sites
    whole = joined(list(sites.values()))
    half = generator(question.seed, "halves").permutation(int(whole.cluster.max()) + 1) % 2
    halves = {
        name: whole.select(np.flatnonzero(half[whole.cluster] == number))
        for number, name in enumerate(HALVES)
    }
    return {ALL_SITES: whole, **halves, **(sites if len(sites) > 1 else {})}


def record_of(question: Question, name: str) -> Method:
    return METHODS[question.settings.methods[name].kind]


def edge_count(question: Question, truth: Truth) -> int:
    """Edges of a graph: as many as are true, or the share of the settings."""
    density = question.settings.density
    if density is None:
        return int(truth.significant.sum())
    return round(density * len(truth.significant))


def directions(question: Question) -> Iterator[tuple[str, str]]:
    """(learned from, judged on). What learns from no patient is judged on all of them, too."""
    yield ALL_SITES, ALL_SITES
    yield from permutations(HALVES, 2)
    if len(question.sites) > 1:
        yield from permutations(question.sites, 2)


def may_judge(question: Question, name: str, learned: str, on: str) -> bool:
    """Whether a method has learned from none of the patients that it is judged on."""
    method = record_of(question, name)
    read = question.known_to.get(name, frozenset())
    if read:
        return on in question.sites and on not in read
    return learned != on or not method.learns or method.control
