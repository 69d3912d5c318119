"""Reads texts (NAME.txt) with standoff annotation (NAME.ann, as brat writes it)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from concept_transfer.errors import StudyError, choices
from concept_transfer.extraction.corpus import Corpus, readable
from concept_transfer.extraction.sentences import sentences
from concept_transfer.extraction.spans import Span, apart, of_words
from concept_transfer.extraction.words import Word, words

# An identifier, the type, and characters; of a mention in parts ("1 4;9 12") from first to last.
_MENTION = re.compile(r"T\d+\t(\S+) (\d+) (?:\d+;\d+ )*(\d+)(?:\t.*)?")
_OTHER = tuple("REAMN#*")  # relations, events, attributes, notes: of no use here


def read_standoff(folder: Path, types: Collection[str]) -> Corpus:
    """A document a pair of files, in the order of their names.

    A mention has all words that it touches, and no sentence ends within one. Raises StudyError that
    names the file and the line, and never what stands in it: no text, a line that is no annotation,
    a type that is none of these, characters outside the text, mentions that overlap, or touch the
    same word.
    """
    texts = sorted(folder.glob("*.txt"))
    if not texts:
        raise StudyError(f"{folder} holds no text; a document is NAME.txt with NAME.ann beside it")
    words_of: list[list[str]] = []
    spans_of: list[list[Span]] = []
    documents: list[int] = []
    for number, path in enumerate(texts):
        text = readable(path)
        every = words(text)
        mentions = _in_words(path.with_suffix(".ann"), text, every, types)
        for sentence, spans in divided(text, every, mentions):
            words_of.append(sentence)
            spans_of.append(spans)
            documents.append(number)
    return Corpus(words_of, spans_of, documents)


def divided(
    text: str, every: Sequence[Word], mentions: Sequence[Span]
) -> Iterator[tuple[list[str], list[Span]]]:
    """The sentences of a text with their mentions, none of which ends within a mention; every: the
    text's words, mentions: spans of these."""
    starts = [0, *accumulate(map(len, sentences(text, every)))]
    inside = {place for start, end, _ in mentions for place in range(start + 1, end)}
    for start, end in pairwise(place for place in starts if place not in inside):
        own = [Span(s - start, e - start, k) for s, e, k in mentions if start <= s < end]
        yield [word.text for word in every[start:end]], own


def _in_words(path: Path, text: str, every: Sequence[Word], types: Collection[str]) -> list[Span]:
    """The mentions of a file as spans of the text's words."""
    lines: dict[Span, int] = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.startswith(_OTHER):
            continue
        found = _MENTION.fullmatch(line)
        if not found:
            raise StudyError(
                f"{path}, line {number}: no annotation of a mention, which is T and a number, a "
                "tab, its type, its first character and the one after its last, and a tab"
            )
        span = Span(int(found[2]), int(found[3]), found[1])
        if span.label not in types:
            raise StudyError(
                f"{path}, line {number}: a type that the config does not know; the corpus's types "
                f"are {choices(types)}"
            )
        try:
            apart([span], len(text))
        except StudyError as error:
            raise StudyError(f"{path}, line {number}: {error}") from None
        lines[span] = number
    kinds = {str(number): kind for (_, _, kind), number in lines.items()}
    numbered = [Span(start, end, str(number)) for (start, end, _), number in lines.items()]
    touched = sorted(of_words(numbered, every))
    for one, other in pairwise(touched):
        if other.start < one.end:
            first, second = sorted(int(span.label) for span in (one, other))
            raise StudyError(
                f"{path}, lines {first} and {second}: mentions that overlap, or touch the same "
                "word; every word belongs to one mention at most: keep the longer"
            )
    return [Span(start, end, kinds[number]) for start, end, number in touched]


def _lines(path: Path) -> list[str]:
    """Of an annotation file, which may be empty where nothing is mentioned."""
    if not path.is_file():
        raise StudyError(f"{path} does not exist; beside a text stand its mentions, if only none")
    return readable(path).split("\n") if path.stat().st_size else []
