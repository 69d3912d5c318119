"""The sentences of a text, as runs of its words."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.extraction.headings import HEADING
from concept_transfer.extraction.words import Word

_ENDS = frozenset(".!?")
_TITLES = frozenset({"dr", "mr", "mrs", "ms", "st", "vs", "approx", "fig"})


def sentences(text: str, words: Sequence[Word]) -> list[Sequence[Word]]:
    """The words of the text, divided where a sentence or a line ends.

    A full stop, question or exclamation mark ends a sentence where it touches the word before it,
    no letter in lower case follows, and the word is no title or initial. A line break does where
    what follows does not begin in lower case, as a wrapped line would, or is a heading.

    >>> from concept_transfer.extraction.words import words
    >>> text = "CC: cough. Seen by Dr. Lee\\nHot, ? fever"
    >>> [[word.text for word in its] for its in sentences(text, words(text))]
    [['CC', ':', 'cough', '.'], ['Seen', 'by', 'Dr', '.', 'Lee'], ['Hot', ',', '?', 'fever']]
    """
    found, start = [], 0
    for place in range(1, len(words)):
        if _begins(text, words, place):
            found.append(words[start:place])
            start = place
    return [*found, words[start:]] if words else []


def _begins(text: str, words: Sequence[Word], place: int) -> bool:
    """Whether a sentence begins at the word."""
    word, before = words[place], words[place - 1]
    if word.start == before.end:
        return False
    line = "\n" in text[before.end : word.start]
    if text[word.start].islower():
        return line and HEADING.match(text, word.start) is not None
    if before.text in _ENDS and place > 1 and words[place - 2].end == before.start:
        last = words[place - 2]
        alone = place < 3 or words[place - 3].end < last.start
        initial = alone and len(last.text) == 1 and last.text.isupper()
        return before.text != "." or not (last.text.casefold() in _TITLES or initial)
    return line
