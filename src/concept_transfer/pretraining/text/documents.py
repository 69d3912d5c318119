"""Documents that may be learned from, as word pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.inputs.text import Texts

FEWEST = 20
AT_ONCE = 1000


@dataclass(frozen=True)
class Readable:
    """n documents of several sites, one after the other, and what is known of them.

    patients: int64 [n], whose each is; categories: int64 [n], the kind of each, its place in
    `names`, or -1; labels: int64 [n], classes.
    """

    sites: tuple[Texts, ...]
    patients: NDArray[np.int64]
    categories: NDArray[np.int64]
    names: tuple[str, ...]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.patients)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.sites)


@dataclass(frozen=True)
class Documents:
    """n documents that hold a word piece; document i is pieces[offsets[i]:offsets[i + 1]].

    pieces: int32; offsets: int64 [n + 1]; categories: int64 [n], -1 for none.
    """

    pieces: NDArray[np.int32]
    offsets: NDArray[np.int64]
    categories: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        arrays = (self.pieces, self.offsets, self.categories)
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    @classmethod
    def of(cls, where: str, readable: Readable, tokenizer: Any) -> Documents:
        """Raises StudyError where too few hold a word."""
        parts = [
            np.array(ids, np.int32)
            for texts in _parts(readable)
            for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        ]
        lengths = np.array([len(part) for part in parts], np.int64)
        full = lengths > 0
        if full.sum() < FEWEST:
            raise StudyError(
                f"{where}: only {full.sum()} of {len(parts)} documents that may be learned from "
                f"hold a word; a language model needs {FEWEST}: name more sites"
            )
        offsets = np.concatenate([[0], np.cumsum(lengths[full])])
        return cls(np.concatenate(parts), offsets, readable.categories[full])


def _parts(readable: Readable) -> Iterator[list[str]]:
    source = iter(readable)
    while part := list(islice(source, AT_ONCE)):
        yield part
