"""Mentions of entities as spans, of words or of characters, and as BIO labels of words.

B- is the first word of a mention, I- every further one, O a word of none (Ramshaw, Marcus 1995,
Workshop on Very Large Corpora, in the form IOB2).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from concept_transfer.errors import StudyError
from concept_transfer.extraction.words import Word

OUTSIDE, BEGIN, INSIDE = "O", "B-", "I-"


class Span(NamedTuple):
    """A mention of type `label`: the words [start, end) of a sentence, or characters of a text."""

    start: int
    end: int
    label: str


def bio_labels(types: Iterable[str]) -> list[str]:
    """O, then B- and I- of each type.

    >>> bio_labels(["Drug"])
    ['O', 'B-Drug', 'I-Drug']
    """
    return [OUTSIDE, *(mark + name for name in types for mark in (BEGIN, INSIDE))]


def follows(label: str, before: str) -> bool:
    """Whether a label may stand after another: I- only after B- or I- of its own type.

    >>> follows("I-Drug", "B-Drug"), follows("I-Drug", "O"), follows("B-Drug", "I-Drug")
    (True, False, True)
    """
    return not label.startswith(INSIDE) or before[2:] == label[2:]


def labels_of(spans: Iterable[Span], length: int) -> list[str]:
    """BIO labels of the words of a sentence of that length.

    Raises StudyError where spans overlap, or reach outside the sentence.

    >>> labels_of([Span(1, 3, "Drug")], 4)
    ['O', 'B-Drug', 'I-Drug', 'O']
    """
    labels = [OUTSIDE] * length
    for start, end, label in apart(spans, length, "words"):
        labels[start:end] = [BEGIN + label] + [INSIDE + label] * (end - start - 1)
    return labels


def spans_of(labels: Sequence[str]) -> list[Span]:
    """The spans of words that BIO labels mark.

    Raises StudyError that says at which word, from 1, a label is none, or may not stand.

    >>> spans_of(["B-Drug", "I-Drug", "O", "B-Sign"])
    [Span(start=0, end=2, label='Drug'), Span(start=3, end=4, label='Sign')]
    """
    spans: list[Span] = []
    before = OUTSIDE
    for place, label in enumerate(labels):
        if problem := problem_of(label, before):
            raise StudyError(f"word {place + 1}: {problem}")
        if label.startswith(BEGIN):
            spans.append(Span(place, place + 1, label[2:]))
        elif label != OUTSIDE:
            spans[-1] = spans[-1]._replace(end=place + 1)
        before = label
    return spans


def problem_of(label: str, before: str) -> str:
    """What is wrong with a label that stands after another; it is not shown, it may be a text."""
    if label != OUTSIDE and (label[:2] not in (BEGIN, INSIDE) or not label[2:]):
        return "its label is none; a label is O, B- and a type, or I- and a type"
    if not follows(label, before):
        return (
            "an I- label that continues no mention; the word before has B- or I- of the same "
            "type, and a mention begins with B-"
        )
    return ""


def apart(spans: Iterable[Span], length: int, units: str = "characters") -> list[Span]:
    """The spans in their order.

    Raises StudyError where one is empty or reaches outside [0, length), or two share a place.
    """
    ordered = sorted(spans)
    for start, end, _ in ordered:
        if not 0 <= start < end <= length:
            raise StudyError(
                f"the mention of {units} {start} to {end} is empty or reaches outside the text, "
                f"which has {length} {units}; it begins at 0 or later, and ends after its begin "
                f"and at {length} at the latest"
            )
    for one, other in pairwise(ordered):
        if other.start < one.end:
            raise StudyError(
                f"the mentions of {units} {one.start} to {one.end} and {other.start} to "
                f"{other.end} overlap; every place belongs to one mention at most: keep the longer"
            )
    return ordered


def of_characters(span: Span, words: Sequence[Word]) -> Span:
    """A span of words as one of the characters of their text."""
    return Span(words[span.start].start, words[span.end - 1].end, span.label)


def of_words(spans: Iterable[Span], words: Sequence[Word]) -> list[Span]:
    """Spans of characters as spans of all words that they touch, in their order.

    Two that touch the same word overlap as spans of words; one that touches none is left out.

    >>> from concept_transfer.extraction.words import words
    >>> of_words([Span(3, 9, "Sign")], words("no  fever."))
    [Span(start=1, end=2, label='Sign')]
    """
    starts, ends = [word.start for word in words], [word.end for word in words]
    touched = (
        Span(bisect_right(ends, start), bisect_left(starts, end), label)
        for start, end, label in sorted(spans)
    )
    return [span for span in touched if span.start < span.end]
