"""Vectors of a site's documents by a language model of the study, computed once: a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.inputs.text import Texts
from concept_transfer.private import private

FOLDER = "documents"


def vectors_file(encoder: Path, site: str) -> Path:
    """In the folder of an encoder's copy, ``encoders/<name>/<number>``."""
    return encoder / FOLDER / f"{site}.npy"


def write_vectors(
    encoder: Path, site: str, texts: Texts, device: str, done: Callable[[int], None]
) -> NDArray[np.float32]:
    """Write the vectors of all documents of a site, float32 [n, width], and return them."""
    from concept_transfer.models.document_reader import Body, LanguageModelFiles

    body = Body(LanguageModelFiles(encoder), {})
    vectors = body.features(texts, np.arange(len(texts)), device, done)
    path = vectors_file(encoder, site)
    with private(path.parent, FOLDER):
        np.save(path, vectors)
    return vectors


def read_vectors(encoder: Path, site: str, count: int) -> NDArray[np.float32]:
    """The vectors of a site's `count` documents, memory-mapped. Raises StudyError."""
    path = vectors_file(encoder, site)
    try:
        vectors: NDArray[np.float32] = np.load(path, mmap_mode="r")
    except (FileNotFoundError, ValueError) as error:
        raise StudyError(
            f"{path} holds no vectors of documents ({error}); delete it and let the workflow write "
            "it again"
        ) from None
    if len(vectors) != count:
        raise StudyError(
            f"{path} holds {len(vectors)} vectors, but site {site} has {count} documents; delete "
            "it and let the workflow write it again"
        )
    return vectors
