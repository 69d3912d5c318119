"""Proposals for the codes of a study's sites that lack a mapping, and how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from concept_transfer.cell import ALL_SITES
from concept_transfer.concepts.crosswalk import COLUMNS, OPTIONAL, PROPOSED
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.proposals.accuracy import STRINGS, TOPS, accuracy_table
from concept_transfer.proposals.codes import Code
from concept_transfer.proposals.similarity import (
    ConceptTexts,
    Embed,
    Ranked,
    concept_texts,
    embedding_similarity,
    ranked,
    string_similarity,
)

MOST = max(TOPS)


@dataclass(frozen=True)
class Proposals:
    """For each site the table to review, and a table of accuracy with the column `site`."""

    tables: dict[str, pd.DataFrame]
    accuracy: pd.DataFrame


def propose(
    sites: Mapping[str, Sequence[Code]],
    vocabulary: Vocabulary,
    methods: Mapping[str, Embed],
    seed: int,
) -> Proposals:
    """Rank the concepts for every code with words, by each embedding and by spelling.

    sites: the codes of each site; methods: embedding -> what makes vectors of texts. Accuracy is
    that on each site's mapped codes, and on those of all sites together.
    """
    concepts = concept_texts(vocabulary)
    texts = list(dict.fromkeys(code.text for codes in sites.values() for code in codes))
    texts = [text for text in texts if text]
    lacking = {site: [c for c in codes if not c.concepts] for site, codes in sites.items()}
    if not texts:
        return Proposals({site: _table(its, {}, "") for site, its in lacking.items()}, _NOTHING)
    row = {text: i for i, text in enumerate(texts)}
    ranks = {
        name: ranked(embedding_similarity(texts, concepts, embed), concepts, MOST)
        for name, embed in methods.items()
    }
    ranks[STRINGS] = ranked(string_similarity(texts, concepts), concepts, MOST)
    accuracy = _accuracy(sites, ranks, concepts, row, seed)
    tables = {}
    cells = {name: _cells(its, concepts, vocabulary) for name, its in ranks.items()}
    for site, its in lacking.items():
        lines = {
            code.code: {name: candidates[row[code.text]] for name, candidates in cells.items()}
            for code in its
            if code.text
        }
        chosen = _best(accuracy[accuracy["site"] == site], list(ranks))
        tables[site] = _table(its, lines, chosen)
    return Proposals(tables, accuracy)


_NOTHING = pd.DataFrame({"site": pd.Series(dtype=str)})


@dataclass(frozen=True)
class _Candidate:
    concept: str
    state: str
    name: str
    cosine: float

    def __str__(self) -> str:
        return f"{self.concept} {self.name} ({self.cosine:.2f})"


def _cells(ranks: Ranked, concepts: ConceptTexts, vocabulary: Vocabulary) -> list[list[_Candidate]]:
    """The candidates of every text, the most similar first."""
    names = dict(zip(vocabulary.concepts, vocabulary.names, strict=True))
    return [
        [
            _Candidate(concepts.concepts[i], state, names[concepts.concepts[i]], float(cosine))
            for i, cosine, state in zip(*row, strict=True)
        ]
        for row in zip(ranks.concept, ranks.cosine, ranks.state, strict=True)
    ]


def _table(
    codes: Sequence[Code], lines: Mapping[str, Mapping[str, list[_Candidate]]], chosen: str
) -> pd.DataFrame:
    """A row a code, in the columns of a crosswalk and then those of its candidates.

    `lines`: code -> method -> candidates; the first of the `chosen` method stands as concept. The
    relation is `proposed`, which no reader of crosswalks accepts.
    """
    rows = []
    for code in codes:
        candidates = lines.get(code.code, {})
        first = candidates[chosen][0] if candidates else None
        rows.append(
            {
                "site_code": code.code,
                "concept": first.concept if first else "",
                "state": first.state if first and first.state != "present" else "",
                "relation": PROPOSED,
                "note": f"{first.name}, by {chosen}" if first else "no words, no proposal",
                "description": code.text,
                "encounters": code.encounters,
                **{
                    f"{method} {rank}": str(candidate)
                    for method, its in candidates.items()
                    for rank, candidate in enumerate(its, start=1)
                },
            }
        )
    fixed = [*COLUMNS, *OPTIONAL, "description", "encounters"]
    return pd.DataFrame(rows, columns=list(dict.fromkeys([*fixed, *(k for r in rows for k in r)])))


def _accuracy(
    sites: Mapping[str, Sequence[Code]],
    ranks: Mapping[str, Ranked],
    concepts: ConceptTexts,
    row: Mapping[str, int],
    seed: int,
) -> pd.DataFrame:
    position = {concept: i for i, concept in enumerate(concepts.concepts)}
    groups = {**sites, **({ALL_SITES: _together(sites)} if len(sites) > 1 else {})}
    tables = [_NOTHING]
    for site, codes in groups.items():
        known = [code for code in codes if code.concepts and code.text]
        if known:
            rows = [row[code.text] for code in known]
            table = accuracy_table(
                {name: its.concept[rows] for name, its in ranks.items()},
                [frozenset(position[concept] for concept in code.concepts) for code in known],
                np.array([code.encounters for code in known]),
                seed,
            )
            tables.append(table.assign(site=site))
    joined = pd.concat(tables, ignore_index=True)
    return joined[["site", *(name for name in joined if name != "site")]]


def _together(sites: Mapping[str, Sequence[Code]]) -> list[Code]:
    """The codes of all sites, each meaning once, with the encounters of all."""
    merged: dict[tuple[str, str, tuple[str, ...]], Code] = {}
    for codes in sites.values():
        for code in codes:
            key = (code.code, code.text, code.concepts)
            before = merged.get(key)
            count = code.encounters + (before.encounters if before else 0)
            merged[key] = replace(code, encounters=count)
    return list(merged.values())


def _best(accuracy: pd.DataFrame, methods: Sequence[str]) -> str:
    """The embedding that is right most often at once; without mapped codes the first there is."""
    embeddings = [name for name in methods if name != STRINGS] or [STRINGS]
    if accuracy.empty:
        return embeddings[0]
    first = accuracy[accuracy["top"] == 1].set_index("method")["accuracy"]
    return max(embeddings, key=lambda name: float(first[name]))
