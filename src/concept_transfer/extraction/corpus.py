"""Sentences of words with the mentions that people marked in them, in documents where known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.errors import StudyError
from concept_transfer.extraction.spans import Span, labels_of, spans_of
from concept_transfer.extraction.tagger import Sentence

WORDS, LABELS, DOCUMENT = "words", "labels", "document"
UNKNOWN = -1  # of a document
WINDOWS_LINE_END = "\r\n"
SCHEMA = pa.schema(
    [(WORDS, pa.list_(pa.string())), (LABELS, pa.list_(pa.string())), (DOCUMENT, pa.int32())]
)


@dataclass(frozen=True)
class Corpus:
    """sentences, none empty; spans: of each, the mentions; documents: of each, the number of its
    document, `UNKNOWN` where the file does not say."""

    sentences: Sequence[Sentence]
    spans: Sequence[Sequence[Span]]
    documents: Sequence[int]

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def knows_documents(self) -> bool:
        return UNKNOWN not in self.documents

    def facts(self) -> dict[str, int]:
        """How much there is of it, in numbers."""
        return {
            "documents": len({*self.documents} - {UNKNOWN}),
            "sentences": len(self),
            "empty_sentences": sum(not spans for spans in self.spans),
            "words": sum(map(len, self.sentences)),
            "mentions": sum(map(len, self.spans)),
        }

    def chosen(self, places: Iterable[int]) -> Corpus:
        """Some of the sentences."""
        own = list(places)
        return Corpus(
            [self.sentences[place] for place in own],
            [self.spans[place] for place in own],
            [self.documents[place] for place in own],
        )

    def write(self, path: Path) -> None:
        labels = [labels_of(s, len(w)) for w, s in zip(self.sentences, self.spans, strict=True)]
        columns = [list(map(list, self.sentences)), labels, list(self.documents)]
        pq.write_table(pa.table(columns, schema=SCHEMA), path)

    @classmethod
    def read(cls, path: Path) -> Corpus:
        """What `write` wrote."""
        table = pq.read_table(path, schema=SCHEMA)
        words, labels, documents = (table[name].to_pylist() for name in SCHEMA.names)
        return cls(words, list(map(spans_of, labels)), documents)


def joined(parts: Sequence[Corpus]) -> Corpus:
    """Corpora one after the other; documents stay apart."""
    sentences = [sentence for part in parts for sentence in part.sentences]
    spans = [mentions for part in parts for mentions in part.spans]
    documents, first = [], 0
    for part in parts:
        documents += [UNKNOWN if d == UNKNOWN else first + d for d in part.documents]
        first += max(part.documents, default=UNKNOWN) + 1
    return Corpus(sentences, spans, documents)


def readable_lines(path: Path) -> list[str]:
    """The lines of a file, as `readable` reads it."""
    return readable(path).replace(WINDOWS_LINE_END, "\n").split("\n")


def readable(path: Path) -> str:
    """The text of a file, its line ends as they are, and without a byte order mark.

    Raises StudyError where there is none: no file, empty, or bytes that are no UTF-8 (with the line
    that they are in, and not what it says).
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise StudyError(f"{path} is no file; give the corpus as docs/extraction.md says") from None
    if not content.strip():
        raise StudyError(f"{path} is empty; a corpus has a sentence at least")
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise StudyError(f"{path}, line {line}: a binary file, or UTF-16; give text in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise StudyError(
            f"{path}, line {line}: not UTF-8, whatever the lines before are; save all of "
            "the file in one encoding, UTF-8"
        ) from None
