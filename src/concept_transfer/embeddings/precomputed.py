"""Provider `precomputed`: vectors that somebody published, matched to the study's tokens."""

from __future__ import annotations

import difflib

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.matching import match_tokens, read_crosswalk
from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.scaling import describe_scale, scale_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.embeddings.vector_files import VectorFile, open_vectors
from concept_transfer.errors import StudyError
from concept_transfer.paths import resolve

_LISTED = 10
_READ_BEFOREHAND = 1 << 26  # bytes


def check(request: Request) -> None:
    """Read the file's keys and refuse, before any job, what would fail later.

    Vectors are read too where the file is small enough not to keep anybody waiting.
    """
    file, rows = _match(request)
    _missing(request, file, rows)
    if file.path.stat().st_size <= _READ_BEFOREHAND:
        file.load([int(row) for row in rows[rows >= 0]])


def embed(request: Request) -> EmbeddingTable:
    """Load the vectors of all tokens.

    Tokens without one follow the policy `missing`; those that are not `allowed` (no model of the
    study sees them) get a zero row.
    """
    config, vocabulary = request.config, request.vocabulary
    file, rows = _match(request)
    missing, substitutes = _missing(request, file, rows)
    matched = np.flatnonzero(rows >= 0)
    loaded = file.load([int(row) for row in rows[matched]])
    vectors = loaded
    if len(matched) < len(vocabulary):
        vectors = np.zeros((len(vocabulary), loaded.shape[1]), dtype=np.float32)
        vectors[matched] = loaded
    if config.missing == "mean":
        vectors[missing] = loaded.mean(axis=0)
    elif config.missing == "nearest":
        vectors[missing] = vectors[substitutes]
    return EmbeddingTable.create(
        request.name,
        config.provider,
        scale_rows(vectors, config.scale),
        vocabulary,
        model=file.path.name,
        scale=describe_scale(config.scale),
        details={
            "unused_keys": len(file.keys) - len(set(rows[matched].tolist())),
            "missing_policy": config.missing,
            "missing": [_described(token, vocabulary) for token in missing],
        },
    )


def _match(request: Request) -> tuple[VectorFile, NDArray[np.int64]]:
    config, vocabulary, root = request.config, request.vocabulary, request.root
    file = open_vectors(resolve(config.path, root))
    crosswalk = (
        read_crosswalk(resolve(config.crosswalk, root), vocabulary) if config.crosswalk else {}
    )
    rows = match_tokens(f"embeddings.{request.name}: {file.path}", file.keys, vocabulary, crosswalk)
    if (rows < 0).all():
        raise StudyError(
            f"embeddings.{request.name}: {file.path} has no vector for any of the "
            f"{len(vocabulary)} tokens; its first key is '{file.keys[0]}', the first token is "
            f"{_described(0, vocabulary)}; map keys to tokens with 'crosswalk'"
        )
    return file, rows


def _missing(
    request: Request, file: VectorFile, rows: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Allowed tokens without a vector, and under `nearest` the token that stands in for each."""
    missing = np.flatnonzero((rows < 0) & request.allowed)
    config, vocabulary = request.config, request.vocabulary
    if config.missing == "nearest":
        return missing, _nearest(request.name, missing, rows, vocabulary)
    if config.missing == "error" and len(missing):
        listed = [_described(token, vocabulary) for token in missing[:_LISTED]]
        more = len(missing) - len(listed)
        raise StudyError(
            f"embeddings.{request.name}: {file.path} has no vector for {len(missing)} of "
            f"{len(vocabulary)} tokens: {', '.join(listed)}{f' and {more} more' if more else ''}; "
            "map its keys to them with 'crosswalk', exclude their concepts or categories from the "
            "task, or choose 'missing: zero', 'mean' or 'nearest'"
        )
    return missing, missing


def _nearest(
    name: str, missing: NDArray[np.intp], rows: NDArray[np.int64], vocabulary: Vocabulary
) -> NDArray[np.intp]:
    """For every missing token the matched token of equal state whose name is most similar."""
    tokens_of: dict[str, dict[str, int]] = {}
    for token in np.flatnonzero(rows >= 0):
        tokens_of.setdefault(vocabulary.states[token], {})[vocabulary.names[token]] = int(token)
    tokens = []
    for token in missing:
        candidates = tokens_of.get(vocabulary.states[token], {})
        close = difflib.get_close_matches(vocabulary.names[token], candidates, n=1)
        if not close:
            raise StudyError(
                f"embeddings.{name}: no concept with a vector has a name like that of "
                f"{_described(token, vocabulary)}; map it with 'crosswalk' or choose "
                "'missing: zero' or 'mean'"
            )
        tokens.append(candidates[close[0]])
    return np.array(tokens, dtype=np.intp)


def _described(token: int, vocabulary: Vocabulary) -> str:
    return f"{vocabulary.concepts[token]} {vocabulary.states[token]} ('{vocabulary.texts[token]}')"
