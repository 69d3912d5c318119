"""One request at a time to a server that speaks OpenAI's API, checked and explained."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray
from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    AzureOpenAI,
    NotFoundError,
    OpenAI,
    PermissionDeniedError,
)

from concept_transfer.embeddings.openai_embedding import OpenAIEmbedding
from concept_transfer.errors import StudyError

OFFICIAL = "https://api.openai.com/v1"
_NO_KEY = "no-key"


class ServerSettings(Protocol):
    """What the config says of a server."""

    @property
    def model(self) -> str: ...
    @property
    def base_url(self) -> str | None: ...
    @property
    def api_version(self) -> str | None: ...
    @property
    def key_variable(self) -> str: ...
    @property
    def retries(self) -> int: ...
    @property
    def timeout(self) -> float: ...


def base_url(config: ServerSettings) -> str:
    """The server: the config's, else `$OPENAI_BASE_URL`, else OpenAI's own."""
    return config.base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL


def public_url(config: ServerSettings) -> str:
    """The server's address without user, password or query, fit for files and errors."""
    parts = urlsplit(base_url(config))
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def key_of(where: str, config: ServerSettings) -> str:
    """The key from the environment; servers other than OpenAI's and Azure's may need none.

    Raises StudyError where a key is needed and its variable is not set.
    """
    key = os.environ.get(config.key_variable, "")
    if not key and (base_url(config) == OFFICIAL or config.api_version):
        raise StudyError(
            f"{where}: {public_url(config)} needs a key and the environment variable "
            f"{config.key_variable} is not set; export it before starting the study (never write a "
            "key into a config file), or set 'offline: true' to use what is cached only"
        )
    return key or _NO_KEY


def estimated_tokens(text: str) -> int:
    """A cautious guess (English has about four bytes a token): a third of the text's bytes."""
    return math.ceil(len(text.encode()) / 3)


def batches(texts: Sequence[str], texts_at_most: int, tokens_at_most: int) -> Iterator[list[str]]:
    """Runs of texts within both limits; a text above the token limit goes alone."""
    batch: list[str] = []
    tokens = 0
    for text in texts:
        size = estimated_tokens(text)
        if batch and (len(batch) == texts_at_most or tokens + size > tokens_at_most):
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += size
    if batch:
        yield batch


class Connection:
    """The official client, with retries and back-off of its own (Retry-After is honoured).

    ``where``: key of the config; ``gentler``: what makes requests smaller; ``kept``: what is not
    lost when one fails.
    """

    gentler = ""
    kept = "What was answered so far is kept"

    def __init__(self, where: str, config: ServerSettings) -> None:
        self._where = f"{where}: {public_url(config)}"
        self._server = config
        self._key = key_of(where, config)
        self._client: OpenAI = (
            AzureOpenAI(
                api_key=self._key,
                azure_endpoint=base_url(config),
                api_version=config.api_version,
                max_retries=config.retries,
                timeout=config.timeout,
            )
            if config.api_version
            else OpenAI(
                api_key=self._key,
                base_url=base_url(config),
                max_retries=config.retries,
                timeout=config.timeout,
            )
        )

    def _explained(self, error: APIError) -> str:
        config = self._server
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            return (
                f"refuses the key (HTTP {error.status_code}); set the environment variable "
                f"{config.key_variable} to a key that may use '{config.model}'"
            )
        if isinstance(error, NotFoundError):
            return (
                f"knows no model '{config.model}' (HTTP 404); correct 'model', or 'base_url' if it "
                "lacks the path (usually /v1)"
            )
        if isinstance(error, APITimeoutError):
            return (
                f"did not answer within {config.timeout:g} seconds, {config.retries + 1} times; "
                f"raise 'timeout'{self.gentler}. {self.kept}"
            )
        if isinstance(error, APIConnectionError):
            return (
                f"cannot be reached or broke the connection {config.retries + 1} times; check "
                "'base_url' and the network, or set 'offline: true' to use what is cached only. "
                f"{self.kept}"
            )
        if isinstance(error, APIStatusError):
            code = error.status_code
            said = self._redacted(error.message)
            if code == 429 or code >= 500:
                return (
                    f"still answers HTTP {code} after {config.retries} retries ({said}); run again "
                    f"later. {self.kept}"
                )
            return f"refuses the request with HTTP {code}: {said}"
        return f"failed: {self._redacted(error.message)}"

    def _redacted(self, message: str) -> str:
        return message.replace(self._key, "***")[:300]


class Client(Connection):
    """A server of embeddings."""

    gentler = " or lower 'batch_texts'"
    kept = "What was embedded so far is kept"

    def __init__(self, name: str, config: OpenAIEmbedding) -> None:
        super().__init__(f"embeddings.{name}", config)
        self._config = config

    def embed(self, texts: list[str]) -> tuple[NDArray[np.float32], int]:
        """Vectors of one batch, float32 [texts, width], and the tokens the server counted.

        Raises StudyError that says what to do; the key is in no message.
        """
        dimensions = (
            {} if self._config.dimensions is None else {"dimensions": self._config.dimensions}
        )
        try:
            answer = self._client.embeddings.create(
                input=texts,
                model=self._config.model,
                **dimensions,  # type: ignore[arg-type]
            )
            rows = sorted(answer.data, key=lambda row: row.index)
            indexes = [row.index for row in rows]
            vectors = [np.asarray(row.embedding, dtype=np.float32) for row in rows]
        except APIError as error:
            raise StudyError(f"{self._where} {self._explained(error)}") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise StudyError(
                f"{self._where} gave an answer that is not of OpenAI's embeddings API "
                f"({self._redacted(str(error))}); check 'base_url', which usually ends in /v1"
            ) from None
        self._check(texts, indexes, vectors)
        return np.stack(vectors), answer.usage.total_tokens if answer.usage else 0

    def _check(
        self, texts: list[str], indexes: list[int], vectors: list[NDArray[np.float32]]
    ) -> None:
        if len(vectors) != len(texts):
            raise StudyError(
                f"{self._where} gave {len(vectors)} vectors for {len(texts)} texts; the answer "
                "cannot be matched to them"
            )
        if indexes != list(range(len(texts))):
            listed = ", ".join(map(str, indexes[:5])) + (", ..." if len(indexes) > 5 else "")
            raise StudyError(
                f"{self._where} gave its {len(texts)} vectors the indexes {listed} instead of 0 to "
                f"{len(texts) - 1} once each; they cannot be matched to the texts. Set "
                "'batch_texts: 1', or use another server"
            )
        for text, vector in zip(texts, vectors, strict=True):
            if vector.ndim != 1 or not len(vector):
                raise StudyError(
                    f"{self._where} gave no list of numbers for '{text[:80]}' but an array of "
                    f"shape {vector.shape}; '{self._config.model}' may be no embedding model"
                )
        width = self._config.dimensions or len(vectors[0])
        for text, vector in zip(texts, vectors, strict=True):
            if len(vector) != width:
                raise StudyError(
                    f"{self._where} gave a vector of {len(vector)} numbers for '{text[:80]}' "
                    f"instead of {width}; "
                    + (
                        f"the model '{self._config.model}' does not follow 'dimensions': leave it "
                        "out, and use provider pca for a smaller width"
                        if self._config.dimensions
                        else "the server is inconsistent"
                    )
                )
