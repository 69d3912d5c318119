"""Reads texts (NAME.txt) with standoff annotation (NAME.ann, as brat writes it)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

from concept_transfer.errors import StudyError, choices
from concept_transfer.extraction.corpus import WINDOWS_LINE_END, Corpus, readable, readable_lines
from concept_transfer.extraction.sentences import sentences
from concept_transfer.extraction.spans import Span, apart, of_words
from concept_transfer.extraction.words import Word, words

# An identifier, the type, the characters of every part ("1 4;9 12"), and the text that they are.
_MENTION = re.compile(r"T\d+\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_OTHER = tuple("REAMN#*")  # relations, events, attributes, notes: of no use here


def read_standoff(folder: Path, types: Collection[str]) -> Corpus:
    """A document a pair of files, in the order of their names.

    A mention has all words that it touches, and no sentence ends within one. Raises StudyError that
    names the file and the line, and never what stands in it: no text, a line that is no annotation,
    a type that is none of these, characters outside the text, or others than stand beside them,
    mentions of no word, that overlap, or touch the same word.

    Characters are counted in the text as it stands, without a byte order mark; in one with the line
    ends of Windows, these count two or one, as agrees with what stands beside the mentions.
    """
    texts = sorted(folder.glob("*.txt"))
    if not texts:
        raise StudyError(f"{folder} holds no text; a document is NAME.txt with NAME.ann beside it")
    words_of: list[list[str]] = []
    spans_of: list[list[Span]] = []
    documents: list[int] = []
    for number, path in enumerate(texts):
        text = readable(path)
        marked = _marked(path.with_suffix(".ann"), text, types)
        text = text.replace(WINDOWS_LINE_END, "\n")
        every = words(text)
        mentions = _in_words(path.with_suffix(".ann"), marked, every)
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


class _Mention(NamedTuple):
    """A line of an annotation file: its number, type, the characters [start, end) of each part, and
    the text that stands beside them, if any."""

    line: int
    label: str
    parts: list[tuple[int, int]]
    covered: str

    def span(self) -> Span:
        return Span(self.parts[0][0], self.parts[-1][1], self.label)

    def agrees(self, text: str) -> bool:
        """Whether it covers in the text what stands beside it, whatever the blanks; of a mention in
        parts either these alone, or all from first to last."""
        start, end, _ = self.span()
        if not self.covered:
            return end <= len(text)
        covers = {_solid(text[start:end]), _solid("".join(text[s:e] for s, e in self.parts))}
        return _solid(self.covered) in covers


def _solid(text: str) -> str:
    return "".join(text.split())


def _marked(path: Path, text: str, types: Collection[str]) -> dict[Span, int]:
    """The mentions of a file as spans of characters of the text, its line ends counted as one, and
    the line in which each stands; text: as it stands in its file."""
    mentions = list(_mentions(path, text, types))
    one = text.replace(WINDOWS_LINE_END, "\n")
    differing = {each: [m for m in mentions if not m.agrees(each)] for each in (text, one)}
    closest = min(differing, key=lambda each: len(differing[each]))
    if differing[closest]:
        raise StudyError(
            f"{path}, line {differing[closest][0].line}: the text beside the mention is not that "
            f"of its characters in {path.with_suffix('.txt').name}; they are counted from 0 in the "
            "text as it stands, line ends included, without a byte order mark"
        )
    spans = {mention.span(): mention.line for mention in mentions}
    if closest == one:
        return spans

    def counted_as_one(place: int) -> int:
        return place - text.count(WINDOWS_LINE_END, 0, place)

    return {
        Span(counted_as_one(start), counted_as_one(end), label): line
        for (start, end, label), line in spans.items()
    }


def _mentions(path: Path, text: str, types: Collection[str]) -> Iterator[_Mention]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.startswith(_OTHER):
            continue
        found = _MENTION.fullmatch(line)
        if not found:
            raise StudyError(
                f"{path}, line {number}: no annotation of a mention, which is T and a number, a "
                "tab, its type, its first character and the one after its last, and a tab"
            )
        parts = [(int(start), int(end)) for start, end in map(str.split, found[2].split(";"))]
        mention = _Mention(number, found[1], parts, found[3] or "")
        if mention.label not in types:
            raise StudyError(
                f"{path}, line {number}: a type that the config does not know; the corpus's types "
                f"are {choices(types)}"
            )
        try:
            apart([mention.span()], len(text))
        except StudyError as error:
            raise StudyError(f"{path}, line {number}: {error}") from None
        yield mention


def _in_words(path: Path, marked: Mapping[Span, int], every: Sequence[Word]) -> list[Span]:
    """Mentions by characters as spans of the text's words."""
    kinds = {str(number): kind for (_, _, kind), number in marked.items()}
    numbered = [Span(start, end, str(number)) for (start, end, _), number in marked.items()]
    touched = sorted(of_words(numbered, every))
    wordless = kinds.keys() - {span.label for span in touched}
    if wordless:
        raise StudyError(
            f"{path}, line {min(map(int, wordless))}: the mention covers blanks alone; a mention "
            "has a word at least"
        )
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
    return readable_lines(path) if path.stat().st_size else []
