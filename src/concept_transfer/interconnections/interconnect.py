"""Which codes belong together, by every method, and who of them foretells other patients' edges.

Clusters are halved by the seed: what one half teaches is judged on the other, and what a site
teaches on every other site. What is described (graphs, pairs) is of all patients together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from concept_transfer.analysis.random import generator
from concept_transfer.cell import ALL_SITES
from concept_transfer.interconnections.agreement import agreement
from concept_transfer.interconnections.counts import all_pairs
from concept_transfer.interconnections.findings import findings_of, unlearned_scores
from concept_transfer.interconnections.graphs import CONSENSUS, consensus, described
from concept_transfer.interconnections.performance import performance
from concept_transfer.interconnections.question import Question, edge_count, parts_of, record_of
from concept_transfer.interconnections.shown import (
    code_rows,
    pair_rows,
    shared_edges,
    unique_hold,
)

Row = dict[str, Any]


def interconnect(question: Question) -> dict[str, list[Row]]:
    """The rows of every table of `schemas.TABLES`."""
    parts = parts_of(question)
    unlearned = unlearned_scores(parts[ALL_SITES], question)
    question = replace(question, prepared={**unlearned, **question.prepared})
    found = {name: findings_of(sets, question) for name, sets in parts.items()}
    whole = found[ALL_SITES]
    count = edge_count(question, whole.truth)
    rng = generator(question.seed, "graphs")
    size = len(whole.expected)
    graphs = {name: own.top(count, size, rng) for name, own in whole.rankings.items()}
    foretelling, differences = performance(found, question)
    alone = unique_hold(found, question)
    pairs = all_pairs(len(question.nodes))
    saying = [name for name in graphs if not record_of(question, name).control] or list(graphs)
    agreed = consensus({name: graphs[name] for name in saying})
    seed = int(generator(question.seed, "communities").integers(2**31))
    rows = described({**graphs, CONSENSUS: agreed}, pairs, len(question.nodes), seed)
    return {
        "performance": foretelling,
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
            {**row, "unique_hold": alone.get(str(row["method"]), float("nan"))} for row in rows
        ],
        "sites": list(shared_edges(found, question)),
        "pairs": list(pair_rows(found, graphs, agreed, question)),
        "codes": list(code_rows(whole, seed, question)),
    }
