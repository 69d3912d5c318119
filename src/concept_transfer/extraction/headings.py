"""The headings of a note's sections, and which sentences stand under each.

That a section says something of all findings in it is as in medspaCy (Eyre et al. 2021, arXiv
2106.07799); which headings do is a matter of the cues (`extraction.context`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from concept_transfer.extraction.spans import Span
from concept_transfer.extraction.words import Word

# The beginning of a line up to a colon, or a line in capitals: of forty characters at most.
HEADING = re.compile(r"[^\W\d_][^\n:.,;?!]{,39}:(?!\S)|[A-Z][A-Z /&-]{1,39}(?=[ \t\r]*(?:\n|\Z))")
_EMPTY_LINE = re.compile(r"\n[ \t\r]*\n")


def headings(
    text: str, sentences: Sequence[Sequence[Word]], mentions: Sequence[Sequence[Span]]
) -> list[Sequence[str]]:
    """The words of the heading over each sentence, none where it has no colon.

    A heading reaches to the next one or to an empty line, but not that right under it. What
    mentions a finding (`Cough: dry`) is no heading.

    >>> from concept_transfer.extraction.sentences import sentences
    >>> from concept_transfer.extraction.words import words
    >>> text = "Past history:\\n\\nCroup. Asthma.\\nPLAN\\nRest."
    >>> divided = sentences(text, words(text))
    >>> [" ".join(heading) for heading in headings(text, divided, [[]] * len(divided))]
    ['Past history :', 'Past history :', 'Past history :', '', '']
    """
    found: list[Sequence[str]] = []
    over: Sequence[str] = ()
    end, alone = 0, False
    for sentence, own in zip(sentences, mentions, strict=True):
        between = text[end : sentence[0].start]
        if not alone and _EMPTY_LINE.search(between):
            over = ()
        alone = False
        heading = HEADING.match(text, sentence[0].start) if not end or "\n" in between else None
        if heading:
            words = [word.text for word in sentence if word.end <= heading.end()]
            if not any(mention.start < len(words) for mention in own):
                over = words if words[-1] == ":" else ()
                alone = len(words) == len(sentence)
        found.append(over)
        end = sentence[-1].end
    return found
