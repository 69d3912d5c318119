"""Invented patients with codes, some of which belong together."""

from __future__ import annotations

from typing import Any

import numpy as np

from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.interconnections.code_sets import CodeSets, code_sets
from concept_transfer.interconnections.nodes import Nodes
from concept_transfer.settings.interconnections import Interconnections

AGES = ["under 18", "from 18"]


def sets_of(rows: list[set[int]], codes: int) -> CompressedRows:
    """Sets of numbers, as the library holds them."""
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return CompressedRows(offsets, np.array([v for row in rows for v in sorted(row)], np.int32))


def patients(
    count: int, seed: int, codes: int = 24, together: int = 8, clusters: int = 40
) -> CodeSets:
    """Codes of which the first `together` come in pairs (0 and 1, 2 and 3, ...); half as frequent
    each as the one before in rank, in no order."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(0).permutation(np.linspace(0.02, 0.14, codes))
    held = rng.random((count, codes)) < common
    for first in range(0, together, 2):
        both = rng.random(count) < 0.035
        held[both, first] = held[both, first + 1] = True
    rows, numbers = np.nonzero(held)
    names = np.array([f"C{number:02d}" for number in range(codes)])
    days = rng.integers(0, 1000, len(rows)).astype(np.float32)
    age = np.array(AGES)[rng.integers(0, 2, count)]
    sex = np.array(["female", "male"])[rng.integers(0, 2, count)]
    cluster = np.array([f"h{number}" for number in rng.integers(0, clusters, count)])
    return code_sets(rows, names[numbers], days, cluster, age, sex)


def nodes_of(sets: CodeSets) -> Nodes:
    """The codes of sets, in chapters of eight and blocks of four."""
    number = range(len(sets.names))
    blocks = tuple(f"b{place // 4}" for place in number)
    chapters = tuple(f"ch{place // 8}" for place in number)
    words = tuple(f"condition {name}" for name in sets.names)
    return Nodes(sets.names, words, blocks, blocks, chapters, chapters)


def asked(methods: Any = None, **changes: Any) -> Interconnections:
    """Settings with few draws."""
    given = {"methods": methods} if methods else {}
    few = {"draws": 20, "permutations": 19, "codes": {"min_patients": 20}}
    return Interconnections.model_validate({**few, **given, **changes})
