"""Vectors of tokens that encounters teach: which of them come together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.scaling import describe_scale, scale_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.interconnections.counts import (
    PairCounts,
    all_pairs,
    counts_by,
    pair_counts,
)
from concept_transfer.interconnections.factors import graph_vectors, ppmi_vectors
from concept_transfer.interconnections.judging import Ranking
from concept_transfer.interconnections.learned_embeddings import settings_of
from concept_transfer.interconnections.matrices import from_pairs, of_pairs
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.methods.method import Learned
from concept_transfer.interconnections.nodes import MOST, Nodes
from concept_transfer.interconnections.sources import groups_of


def cooccurring(request: Request) -> EmbeddingTable:
    """Factors of what findings tell of each other, see `ppmi_vectors`."""
    config = request.config
    tokens, sets = _frequent(request)
    counts = pair_counts(sets.codes, len(tokens))
    counts = replace(counts, together=_often(counts, config.min_encounters))
    return _table(request, tokens, ppmi_vectors(counts, config.width, config.shift))


def spectral(request: Request) -> EmbeddingTable:
    """Eigenvectors of the graph of one method's surest pairs, see `graph_vectors`."""
    config = request.config
    tokens, sets = _frequent(request)
    counts = pair_counts(sets.codes, len(tokens))
    words = tuple(request.vocabulary.texts[token] for token in tokens)
    kinds = tuple(request.vocabulary.categories[token] for token in tokens)
    nodes = Nodes(sets.names, words, kinds, kinds, kinds, kinds)
    learned = Learned(nodes, sets, counts, lambda by: counts_by(sets, sets.strata(by)))
    scores = METHODS[config.method].scores
    assert scores is not None
    known = of_pairs(scores(settings_of(config.method), learned))
    pairs = all_pairs(len(tokens))
    known[counts.together[pairs] < config.min_encounters] = np.nan
    edges = Ranking.of(known).top(
        round(config.density * len(known)), len(known), np.random.default_rng(0)
    )
    graph = np.nan_to_num(from_pairs(edges.astype(float), len(tokens)))
    return _table(request, tokens, graph_vectors(graph, config.width))


def _often(counts: PairCounts, least: int) -> NDArray[np.int64]:
    """Counts, 0 where fewer than `least` encounters have both."""
    return np.where(counts.together < least, 0, counts.together)


def _frequent(request: Request) -> tuple[NDArray[np.int64], CodeSets]:
    """The tokens that enough encounters have, and their sets.

    Raises StudyError where there are too few of them to compare, or too many.
    """
    findings, least = request.findings, request.config.min_encounters
    assert findings is not None
    width = len(request.vocabulary)
    tokens = np.flatnonzero(findings.counts(width) >= least)
    where = f"embeddings.{request.name}"
    if len(tokens) < 3:
        raise StudyError(
            f"{where}: {len(tokens)} findings are recorded in {least} encounters or more of those "
            "that it learns from, and vectors need three; lower min_encounters, or learn from a "
            "larger site"
        )
    if len(tokens) > MOST:
        raise StudyError(
            f"{where}: {len(tokens):,} findings are recorded in {least} encounters or more; up to "
            f"{MOST:,} can be compared pair by pair: raise min_encounters"
        )
    groups = groups_of(findings, request.vocabulary)
    every = CodeSets(
        findings,
        np.full(len(findings.values), np.nan, np.float32),
        np.arange(len(findings)),
        np.arange(len(findings)),
        np.asarray(groups["age"], np.str_),
        np.asarray(groups["sex"], np.str_),
        tuple(map(str, range(width))),
    )
    number = np.full(width, -1)
    number[tokens] = np.arange(len(tokens))
    return tokens, every.renamed(number, [every.names[token] for token in tokens])


def _table(
    request: Request, tokens: NDArray[np.int64], vectors: NDArray[np.float64]
) -> EmbeddingTable:
    config = request.config
    if not vectors.any():
        raise StudyError(
            f"embeddings.{request.name}: no two findings come together in "
            f"{config.min_encounters} encounters or more of those that it learns from; lower "
            "min_encounters, or learn from a larger site"
        )
    rows = np.zeros((len(request.vocabulary), vectors.shape[1]), np.float32)
    rows[tokens] = vectors
    return EmbeddingTable.create(
        request.name,
        config.provider,
        scale_rows(rows, config.scale),
        request.vocabulary,
        scale=describe_scale(config.scale),
        details={"of": config.of, "min_encounters": config.min_encounters},
    )
