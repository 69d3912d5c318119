"""Reads IOB files: a word a line with its label, an empty line between sentences."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from concept_transfer.errors import StudyError, choices
from concept_transfer.extraction.corpus import UNKNOWN, Corpus, readable_lines
from concept_transfer.extraction.spans import OUTSIDE, problem_of, spans_of

DOCUMENT_START = "-DOCSTART-"
WORD, LABEL, NAME = 0, 1, 2  # columns; that of a document's name may be absent


def read_iob(path: Path, types: Collection[str]) -> Corpus:
    """Columns are separated by a tab: word, label, and, if the file has it, the document's name.

    Without that column a line that begins with ``-DOCSTART-`` begins a document. Raises StudyError
    that names the file and the line, and never what stands in it: a file that is no text, a line
    of too few columns, a label that is none or of another type, I- where no mention has begun.
    """
    sentences: list[list[str]] = []
    labels: list[list[str]] = []
    documents: list[int] = []
    names: dict[str, int] = {}
    document, ended, width = UNKNOWN, True, 0
    for number, line in enumerate(readable_lines(path), start=1):
        if not line.strip() or line.startswith(DOCUMENT_START):
            document += line.startswith(DOCUMENT_START)
            ended = True
            continue
        cells = line.split("\t")
        width = width or len(cells)
        if len(cells) != width or width not in (2, 3) or not cells[WORD].strip():
            raise StudyError(
                f"{path}, line {number}: not a word, a tab and its label (and, in all lines of a "
                "file or in none, a tab and the name of the document)"
            )
        if width > NAME:
            document = names.setdefault(cells[NAME], len(names))
        if ended:
            sentences.append([])
            labels.append([])
            documents.append(document)
            ended = False
        label = cells[LABEL].strip()
        before = labels[-1][-1] if labels[-1] else OUTSIDE
        if problem := problem_of(label, before):
            raise StudyError(f"{path}, line {number}: {problem}")
        if label != OUTSIDE and label[2:] not in types:
            raise StudyError(
                f"{path}, line {number}: a label of a type that the config does not know; the "
                f"corpus's types are {choices(types)}"
            )
        sentences[-1].append(cells[WORD])
        labels[-1].append(label)
    if not sentences:
        raise StudyError(f"{path} holds no sentence; a line is a word, a tab and its label")
    if UNKNOWN in documents:  # before the first mark, or no mark at all
        documents = [d - min(documents) if max(documents) > UNKNOWN else d for d in documents]
    return Corpus(sentences, list(map(spans_of, labels)), documents)
