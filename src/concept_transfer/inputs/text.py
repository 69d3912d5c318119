"""The input `text`: one document an encounter, what was written until its index time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.input import Input

if TYPE_CHECKING:
    import pyarrow as pa

NO_CATEGORY = -1
NAMES = "text_names.json"
ARRAYS = {"offsets": np.int64, "data": np.uint8, "categories": np.int16}
FILES = (*(f"text_{name}.npy" for name in ARRAYS), NAMES)
REMEDY = "delete its text_* files and let the workflow write them again"
_CONTINUES, _LEADING = 0b1000_0000, 0b1100_0000  # a byte of UTF-8 that begins no character


@dataclass(frozen=True)
class Texts:
    """n documents; document i is data[offsets[i]:offsets[i + 1]], in UTF-8. The arrays may be
    memory-mapped.

    offsets: int64 [n + 1], ascending from 0; data: uint8 [bytes]; categories: int16 [n], what kind
    of document each is (its place in `names`), `NO_CATEGORY` for none.
    """

    offsets: NDArray[np.int64]
    data: NDArray[np.uint8]
    categories: NDArray[np.int16]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str], categories: Sequence[str | None] | None = None) -> Texts:
        """Documents as strings, with the category of each or none.

        >>> texts = Texts.of(["a fall", "fever, 39 °C"], ["note", None])
        >>> texts[1], texts.categories.tolist(), texts.names
        ('fever, 39 °C', [0, -1], ('note',))
        """
        encoded = [text.encode() for text in texts]
        offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        kinds: Sequence[str | None] = [None] * len(texts) if categories is None else categories
        names = sorted({kind for kind in kinds if kind is not None})
        place = {None: NO_CATEGORY} | {name: number for number, name in enumerate(names)}
        return cls(
            offsets,
            np.frombuffer(b"".join(encoded), np.uint8),
            np.array([place[kind] for kind in kinds], np.int16),
            tuple(names),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        return bytes(self.data[self.offsets[row] : self.offsets[row + 1]]).decode()

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))

    def select(self, rows: NDArray[np.int64]) -> Texts:
        """The given documents, in their order."""
        chosen = [self.data[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        return replace(
            self,
            offsets=np.cumsum([0, *map(len, chosen)], dtype=np.int64),
            data=np.concatenate([np.zeros(0, np.uint8), *chosen]),
            categories=np.asarray(self.categories[rows]),
        )


def are_among(files: Iterable[str]) -> bool:
    """Whether a site's documents are among files.

    >>> are_among(["encounters/north/labels.npy", "encounters/north/text_data.npy"])
    True
    """
    return any(Path(file).name in FILES for file in files)


def check(texts: Texts, count: int, vocabulary: Vocabulary | None, where: str) -> None:
    """Raise StudyError unless `texts` holds the documents of `count` encounters, in UTF-8."""
    for problem in _problems(texts, count):
        raise StudyError(f"{where}: {problem}")


def write(
    folder: Path, texts: Texts, encounters: pa.Array | None, vocabulary: Vocabulary | None
) -> None:
    """Write the arrays as ``text_<name>.npy``, and ``text_names.json``."""
    for name in ARRAYS:
        np.save(folder / f"text_{name}.npy", getattr(texts, name))
    names = json.dumps(texts.names, ensure_ascii=False, indent=0)
    (folder / NAMES).write_text(names + "\n", encoding="utf-8")


def read(folder: Path) -> Texts:
    """Memory-map what `write` wrote. Raises StudyError naming the folder."""
    try:
        arrays = {name: np.load(folder / f"text_{name}.npy", mmap_mode="r") for name in ARRAYS}
        names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise StudyError(f"{folder} has no complete documents ({error}); {REMEDY}") from None
    texts = Texts(**arrays, names=tuple(names))
    whole = len(texts.offsets) and texts.offsets[-1] == len(texts.data)
    if not whole or len(texts.categories) != len(texts):
        raise StudyError(
            f"{folder}: text_offsets.npy ({len(texts.offsets)} entries, last "
            f"{texts.offsets[-1:]}), text_data.npy ({len(texts.data)}) and text_categories.npy "
            f"({len(texts.categories)}) do not belong together; {REMEDY}"
        )
    return texts


def _problems(texts: Texts, count: int) -> Iterator[str]:
    """What breaks the documented form; the first is enough. No word of a document is in it."""
    for name, kind in ARRAYS.items():
        array = getattr(texts, name)
        if array.dtype != np.dtype(kind) or array.ndim != 1:
            yield (
                f"{name} of documents are {array.dtype} {list(array.shape)}; expected "
                f"{np.dtype(kind)} in one dimension"
            )
    offsets, data = texts.offsets, texts.data
    if not len(offsets) or offsets[0] or offsets[-1] != len(data) or (np.diff(offsets) < 0).any():
        yield f"offsets do not divide {len(data)} bytes of documents"
    if {len(texts), len(texts.categories)} != {count}:
        yield (
            f"there are {len(texts)} documents and {len(texts.categories)} categories of "
            f"documents; expected one of each for each of {count} encounters"
        )
    kinds = texts.categories
    outside = (kinds < NO_CATEGORY) | (kinds >= len(texts.names))
    if outside.any():
        yield f"category {kinds[outside][0]} of a document is outside {len(texts.names)} names"
    starts = offsets[:-1][np.diff(offsets) > 0]
    try:
        bytes(data).decode()
    except UnicodeDecodeError as error:
        row = int(np.searchsorted(offsets, error.start, side="right"))
        yield f"the document of encounter {row} (from 1) is not in UTF-8"
    divided = (data[starts] & _LEADING) == _CONTINUES
    if divided.any():
        row = int(np.flatnonzero(np.diff(offsets) > 0)[divided][0]) + 1
        yield f"the document of encounter {row} (from 1) begins within a character"


TEXT = Input(files=FILES, arrays=FILES, check=check, write=write, read=read)
