"""How much there is to read in a site's documents, as far as it can be told before any job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from concept_transfer.paths import resolve

BYTES_A_PIECE = 4.4  # of a word, as MiniLM divides medical abstracts
COMPRESSED = ".parquet"


@dataclass(frozen=True)
class Amount:
    """Of documents. pieces: of words, in all of them together; documents: None where only their
    files can tell."""

    pieces: float
    documents: int | None = None

    def each(self, most: float) -> float:
        """Pieces of a document of which so many are read: a mean, or what it has at most."""
        return most if self.documents is None else min(most, self.pieces / self.documents)

    def all(self, most: float) -> float:
        """Pieces of all documents, of each of which so many are read."""
        return self.pieces if self.documents is None else self.documents * self.each(most)

    def some(self, documents: int, most: float) -> float:
        """The same of some of them."""
        return min(documents * self.each(most), self.all(most))


def of_files(files: Iterable[str], root: Path) -> Amount | None:
    """At most what these files hold; None where they are compressed, or not there."""
    paths = [resolve(file, root) for file in files]
    if not all(path.is_file() and path.suffix != COMPRESSED for path in paths):
        return None
    return Amount(sum(path.stat().st_size for path in paths) / BYTES_A_PIECE)
