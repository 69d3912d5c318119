"""Provider `openai`: concept texts embedded by a server that speaks OpenAI's API.

OpenAI and Azure, and local servers such as vLLM, Ollama, llama.cpp and text-embeddings-inference.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from concept_transfer.embeddings.cache import VectorSpace, embed_cached
from concept_transfer.embeddings.openai_embedding import OpenAIEmbedding
from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.embeddings.text_tables import text_table
from concept_transfer.embeddings.texts import TokenTexts, token_texts
from concept_transfer.errors import StudyError
from concept_transfer.progress import Progress

OFFLINE = "CONCEPT_TRANSFER_OFFLINE"


def check(request: Request) -> None:
    """Refuse, before any job, a missing key, or texts that the offline mode does not have."""
    from concept_transfer.embeddings.openai_client import key_of

    name, config = request.name, request.config
    texts = token_texts(name, config, request.vocabulary, request.root).texts
    unknown = _space(config).missing(texts)
    if unknown:
        _require_online(name, config, unknown)
        key_of(f"embeddings.{name}", config)


def embed(request: Request) -> EmbeddingTable:
    """Vectors of the tokens' texts; the card says what this run sent and what it cost."""
    name, config, vocabulary = request.name, request.config, request.vocabulary
    texts = token_texts(name, config, vocabulary, request.root)
    vectors, usage = vectors_of(name, config, texts)
    return text_table(name, config, vocabulary, texts, vectors, details={"usage": usage})


def embed_texts(
    name: str, config: OpenAIEmbedding, texts: Sequence[str], root: Path, device: str
) -> NDArray[np.float32]:
    """Vectors of distinct texts about concepts, float32 [texts, width]."""
    members = tuple((i,) for i in range(len(texts)))
    vectors, _ = vectors_of(name, config, TokenTexts(tuple(texts), members, "concepts"))
    return vectors


def vectors_of(
    name: str, config: OpenAIEmbedding, texts: TokenTexts
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Vectors of the tokens, [tokens, width], and what was sent to the server for them.

    Every answer is cached before the next request, so a run that fails or is killed goes on
    where it stopped. Raises StudyError for texts written about patients: they are never sent.
    """
    if texts.origin != "concepts":
        raise StudyError(
            f"embeddings.{name}: these texts come from patients' notes, and provider openai sends "
            "texts to a server; use provider transformers, which computes on this machine"
        )
    usage: dict[str, Any] = {"texts": 0, "tokens": 0, "usd": None}

    def compute(unknown: list[str]) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        from concept_transfer.embeddings.openai_client import Client, batches

        _require_online(name, config, unknown)
        client = Client(name, config)
        _announce(name, config, unknown)
        progress = Progress("texts", len(unknown))
        try:
            for batch in batches(unknown, config.batch_texts, config.batch_tokens):
                vectors, tokens = client.embed(batch)
                usage["texts"] += len(batch)
                usage["tokens"] += tokens
                yield batch, vectors
                progress.advance(len(batch))
        finally:
            if config.price is not None:
                usage["usd"] = usage["tokens"] * config.price / 1e6
            _say(
                f"embeddings.{name}: sent {usage['texts']} texts, {usage['tokens']} tokens",
                usage["usd"],
            )

    from concept_transfer.embeddings.openai_client import public_url

    where = f"embeddings.{name}: model '{config.model}' of {public_url(config)}"
    vectors = embed_cached(where, _space(config), texts.texts, compute)
    return texts.per_token(vectors), usage


def _space(config: OpenAIEmbedding) -> VectorSpace:
    from concept_transfer.embeddings.openai_client import public_url

    return VectorSpace(
        {
            "provider": config.provider,
            "server": public_url(config),
            "model": config.model,
            "dimensions": config.dimensions,
        }
    )


def _require_online(name: str, config: OpenAIEmbedding, unknown: list[str]) -> None:
    if config.offline or os.environ.get(OFFLINE, "") not in ("", "0"):
        raise StudyError(
            f"embeddings.{name}: offline, and the cache lacks {len(unknown)} text(s), the first is "
            f"'{unknown[0][:80]}'; run once with network (offline: false, {OFFLINE} unset), or "
            "choose another provider"
        )


def _announce(name: str, config: OpenAIEmbedding, unknown: list[str]) -> None:
    from concept_transfer.embeddings.openai_client import estimated_tokens, public_url

    tokens = sum(map(estimated_tokens, unknown))
    host = urlsplit(public_url(config)).netloc
    cost = None if config.price is None else tokens * config.price / 1e6
    _say(f"embeddings.{name}: {len(unknown)} texts to send to {host}, about {tokens} tokens", cost)


def _say(message: str, usd: float | None) -> None:
    """The bill goes to standard error, where a job's log keeps it."""
    print(message + ("" if usd is None else f", ${usd:.4f}"), file=sys.stderr)
