"""The embedding table of a study: one float32 row a token, and a card that says where it is from.

On disk: ``<name>.safetensors`` (tensor ``vectors``) and ``<name>.json`` (the card).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.controls import generator, random_vectors, shuffled_rows
from concept_transfer.embeddings.scaling import known_rows, row_norms
from concept_transfer.errors import StudyError

if TYPE_CHECKING:
    from concept_transfer.embeddings.providers import Control

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class TableCard:
    """What is known about a table.

    `vocabulary` (the tokens' identity) and `texts` are SHA-256 digests; `norms` holds min, median
    and max of the norms of the rows that are not zero; `details` is for what one provider alone
    can say (licence, unmatched tokens, cost).
    """

    name: str
    provider: str
    vocabulary: str
    texts: str
    width: int
    norms: dict[str, float]
    scale: str = "raw"
    model: str | None = None
    revision: str | None = None
    pooling: str | None = None
    control: Control | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EmbeddingTable:
    """`vectors`: float32 [tokens, width] in vocabulary order; controls store their parent's."""

    vectors: NDArray[np.float32]
    card: TableCard

    @classmethod
    def create(
        cls,
        name: str,
        provider: str,
        vectors: NDArray[np.float32],
        vocabulary: Vocabulary,
        *,
        texts: str | None = None,
        **facts: Any,
    ) -> EmbeddingTable:
        """Make a checked table; `facts` are further fields of its card.

        Raises StudyError where rows and tokens differ in number or a row is not finite.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(vocabulary):
            raise StudyError(
                f"embedding {name} has shape {vectors.shape}; the vocabulary needs "
                f"{len(vocabulary)} rows of one width"
            )
        _require_finite(f"embedding {name}", vectors, vocabulary)
        norms = row_norms(vectors)
        norms = norms[norms > 0]
        if not len(norms):
            raise StudyError(f"embedding {name} has no row that is not zero")
        card = TableCard(
            name=name,
            provider=provider,
            vocabulary=vocabulary.identity,
            texts=texts or digest_of_texts(vocabulary.texts),
            width=vectors.shape[1],
            norms={
                "min": float(norms.min()),
                "median": float(np.median(norms)),
                "max": float(norms.max()),
            },
            **facts,
        )
        return cls(vectors, card)

    def vectors_for(self, replicate: int, seed: int, vocabulary: Vocabulary) -> NDArray[np.float32]:
        """The vectors one replicate trains on: the table itself, or the control's own draw."""
        if self.card.control is None:
            return self.vectors
        rng = generator(seed, replicate, self.card.control)
        if self.card.control == "shuffled":
            known = known_rows(self.vectors)
            return self.vectors[shuffled_rows(vocabulary, known, rng)]
        return random_vectors(self.vectors, rng)

    def require_vocabulary(self, vocabulary: Vocabulary, where: str = "") -> None:
        """Refuse a table made for other tokens; StudyError names both digests."""
        if self.card.vocabulary != vocabulary.identity:
            raise StudyError(
                f"{where or f'embedding {self.card.name}'} was made for vocabulary "
                f"{self.card.vocabulary[:12]}, but the vocabulary in use is "
                f"{vocabulary.identity[:12]} ({len(vocabulary)} tokens): their rows mean different "
                "tokens; compute the embedding again for this vocabulary"
            )

    def write(self, path: Path) -> None:
        """Write ``path`` (.safetensors) and the card beside it; a killed write leaves neither
        half behind under its final name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        card = dataclasses.asdict(self.card)
        with _replacing(path) as temporary:
            save_file({"vectors": self.vectors}, temporary, metadata={"card": json.dumps(card)})
        with _replacing(path.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path, vocabulary: Vocabulary | None = None) -> EmbeddingTable:
        """Read a table and check it against the vocabulary where one is given.

        Raises StudyError that names the file: absent, damaged, with another table's card, made
        for another vocabulary, or with a row that is not finite (naming its token).
        """
        card_path = path.with_suffix(".json")
        try:
            facts = json.loads(card_path.read_text(encoding="utf-8"))
            card = TableCard(**facts)
            with safe_open(path, framework="np", backend="pread") as file:
                vectors = file.get_tensor("vectors")
                own_facts = json.loads(file.metadata()["card"])
        except FileNotFoundError as error:
            raise StudyError(
                f"embedding table {error.filename or path} does not exist; a table is the pair "
                f"{path.name} and {card_path.name}"
            ) from None
        except (SafetensorError, json.JSONDecodeError, TypeError, KeyError) as error:
            raise StudyError(
                f"embedding table {path} is damaged ({error}); delete it and run again"
            ) from None
        table = cls(vectors, card)
        if facts != own_facts:
            raise StudyError(
                f"{path} and {card_path.name} do not belong together (the table was made as "
                f"'{own_facts['name']}', width {own_facts['width']}; the card says "
                f"'{card.name}', width {card.width}); delete both and run again"
            )
        if vocabulary is not None:
            table.require_vocabulary(vocabulary, where=str(path))
            _require_finite(str(path), vectors, vocabulary)
        return table


def digest_of_texts(texts: Iterable[str]) -> str:
    """SHA-256 over texts in order; no two lists of texts share it."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def _require_finite(where: str, vectors: NDArray[np.float32], vocabulary: Vocabulary) -> None:
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        bad = ~np.isfinite(vectors[start : start + _ROWS_AT_ONCE]).all(axis=1)
        if bad.any():
            token = start + int(bad.argmax())
            raise StudyError(
                f"{where}: the vector of token {token} ({vocabulary.concepts[token]}, "
                f"{vocabulary.states[token]}: '{vocabulary.texts[token]}') holds NaN or infinity; "
                "every number of an embedding must be finite"
            )


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place once the block ends without error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
