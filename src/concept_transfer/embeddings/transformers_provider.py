"""Provider `transformers`: concept texts read by a language model on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from concept_transfer.device import usable_device
from concept_transfer.embeddings import model_files
from concept_transfer.embeddings.cache import VectorSpace, embed_cached, fault_of
from concept_transfer.embeddings.model_files import ModelFolder
from concept_transfer.embeddings.providers import Request
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.embeddings.text_tables import text_table
from concept_transfer.embeddings.texts import token_texts
from concept_transfer.embeddings.transformers_embedding import ADAPTED, TransformersEmbedding
from concept_transfer.errors import StudyError
from concept_transfer.progress import Progress

_TEXTS_A_PART = 4096
_COMMIT = re.compile(r"[0-9a-f]{40}")


def check(request: Request) -> None:
    """Refuse tokens without a text of their own, and a model that is not there (StudyError)."""
    token_texts(request.name, request.config, request.vocabulary, request.root)
    if not _is_adapted(request.config):
        model_files.check(f"embeddings.{request.name}", request.config, request.root)


def folder_files(name: str, config: TransformersEmbedding, root: Path) -> list[Path]:
    """The files of a local model folder that decide its vectors; none for packages, the hub, and
    the study's own models."""
    if _is_adapted(config):
        return []
    return model_files.folder_files(f"embeddings.{name}", config, root)


def content(name: str, config: TransformersEmbedding, root: Path) -> str | None:
    """Digest of all that decides the vectors of a folder's or package's model; None for others."""
    if _is_adapted(config):
        return None
    return model_files.local_content(f"embeddings.{name}", config, root)


def _is_adapted(config: TransformersEmbedding) -> bool:
    return config.model.startswith(ADAPTED)


def embed(request: Request) -> EmbeddingTable:
    """Vectors of the tokens' texts from the model's last layer.

    The model is loaded, and torch imported, only for texts that the cache does not know; a
    pinned commit whose texts are all known needs neither model nor network.
    """
    name, config, root = request.name, request.config, request.root
    model = _Model(name, config, root, request.model)
    texts = token_texts(name, config, request.vocabulary, root)
    return text_table(
        name,
        config,
        request.vocabulary,
        texts,
        texts.per_token(_vectors(model, texts.texts, request.device)),
        revision=model.revision,
        pooling=config.pooling,
    )


def embed_texts(
    name: str, config: TransformersEmbedding, texts: Sequence[str], root: Path, device: str
) -> NDArray[np.float32]:
    """Vectors of distinct texts, float32 [texts, width], as `embed` computes those of tokens."""
    return _vectors(_Model(name, config, root), texts, device)


def embed_privately(
    name: str, config: TransformersEmbedding, texts: Sequence[str], root: Path
) -> NDArray[np.float32]:
    """Vectors of distinct texts that are patients' words, float32 [texts, width]: past the cache,
    and without a word of them in an error (StudyError)."""
    parts = _computed(_Model(name, config, root), "cpu", texts, private=True)
    vector_of = {text: row for part, rows in parts for text, row in zip(part, rows, strict=True)}
    vectors = np.stack([vector_of[text] for text in texts])
    if fault := fault_of(vectors):
        raise StudyError(
            f"embeddings.{name}: model '{config.model}' gives {fault[0]} for a text of patients, "
            "which is not shown. Such vectors come from damaged weights"
        )
    return vectors


@dataclass(frozen=True)
class _Model:
    """The model of an embedding; its folder is looked for only where it is needed.

    adapted: that of the study's own language model, where this is it.
    """

    name: str
    config: TransformersEmbedding
    root: Path
    adapted: Path | None = None

    @property
    def source(self) -> TransformersEmbedding:
        if self.adapted is None:
            return self.config
        return self.config.model_copy(update={"model": str(self.adapted.absolute())})

    @cached_property
    def folder(self) -> ModelFolder:
        return model_files.locate(f"embeddings.{self.name}", self.source, self.root)

    @property
    def pinned(self) -> bool:
        commit = _COMMIT.fullmatch(self.config.revision or "")
        return bool(commit) and model_files.is_on_hub(self.source, self.root)

    @property
    def content(self) -> str | None:
        return self.config.revision if self.pinned else self.folder.content

    @property
    def revision(self) -> str | None:
        return self.config.revision if self.pinned else self.folder.revision


def _vectors(model: _Model, texts: Sequence[str], device: str) -> NDArray[np.float32]:
    """From the cache, or computed and kept there; what documents have taught is not shared."""
    config = model.config
    compute = partial(_computed, model, device)
    identity = {
        "provider": config.provider,
        "model": config.model if model.pinned else None,
        "content": model.content,
        "pooling": config.pooling,
        "dtype": config.dtype,
        "truncate": config.truncate,
    }
    where = f"embeddings.{model.name}: model '{config.model}'"
    if model.adapted is None:
        return embed_cached(where, VectorSpace(identity), texts, compute)
    with TemporaryDirectory() as folder:
        return embed_cached(where, VectorSpace(identity, Path(folder)), texts, compute)


def _computed(
    model: _Model, device: str, texts: Sequence[str], private: bool = False
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Texts, some at a time, and their vectors."""
    from concept_transfer.embeddings.language_model import LanguageModel

    config = model.config
    reader = LanguageModel(
        f"embeddings.{model.name}",
        model.folder.path,
        pooling=config.pooling,
        device=usable_device(device),
        dtype=config.dtype,
        truncate=config.truncate,
        pickled_weights=config.pickled_weights,
        private=private,
    )
    by_length = sorted(texts, key=len, reverse=True)
    progress = Progress("texts", len(texts))
    for start in range(0, len(by_length), _TEXTS_A_PART):
        part = by_length[start : start + _TEXTS_A_PART]
        yield part, reader.encode(part, done=progress.advance)
