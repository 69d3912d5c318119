"""Reads texts: the mentions of findings in each, what is said of them, and what they mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.extraction.context import Context
from concept_transfer.extraction.dictionary import Name, compared
from concept_transfer.extraction.headings import headings
from concept_transfer.extraction.mentions import ABSENT, ASSERTIONS, PRESENT
from concept_transfer.extraction.normalise import Match, Normaliser
from concept_transfer.extraction.sentences import sentences
from concept_transfer.extraction.spans import of_characters
from concept_transfer.extraction.tagger import Tagger
from concept_transfer.extraction.words import Word, words
from concept_transfer.progress import Progress

_TEXTS_AT_ONCE = 256
_BULLET = re.compile(r"(?m)^[ \t]*[-–](?=[ \t])")  # where else a dash denies what follows


@dataclass(frozen=True)
class Found:
    """m mentions in n texts.

    row int64 [m], ascending: the text; start, end int64 [m]: its characters; form int64 [m]: the
    place of the mention's words in `forms`; assertion int8 [m]: a place in `ASSERTIONS`; matches:
    what each form means; words and sentences: how many were read.
    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    form: NDArray[np.int64]
    assertion: NDArray[np.int8]
    forms: tuple[Name, ...]
    matches: tuple[Match | None, ...]
    words: int
    sentences: int

    def tokens(self, vocabulary: Vocabulary) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The findings that the texts state, as pairs (text, token), int64 each; a pair may repeat.

        A mention that is present gives its state; one of a finding that is absent gives the state
        absent. What is uncertain, hypothetical, past or another's gives nothing; nor does the
        denial of any other state, which does not tell which state there is.
        """
        table = np.full((len(self.forms) + 1, len(ASSERTIONS)), -1, np.int64)
        for form, match in enumerate(self.matches):
            if match is not None:
                token = vocabulary.index.get((match.concept, match.state), -1)
                table[form, ASSERTIONS.index(PRESENT)] = token
                if match.state == PRESENT:
                    denied = vocabulary.index.get((match.concept, ABSENT), -1)
                    table[form, ASSERTIONS.index(ABSENT)] = denied
        tokens = table[self.form, self.assertion]
        return self.row[tokens >= 0], tokens[tokens >= 0]


@dataclass(frozen=True)
class Reader:
    """tagger: finds mentions; corrects: whether it is given words with their slips corrected, as
    one that knows names alone needs it."""

    tagger: Tagger
    context: Context
    normaliser: Normaliser
    corrects: bool

    def read(self, texts: Sequence[str]) -> Found:
        """The mentions in all texts."""
        forms: dict[Name, int] = {}
        columns: list[tuple[int, int, int, int, int]] = []
        counts: Counter[str] = Counter()
        progress = Progress("texts", len(texts))
        for first in range(0, len(texts), _TEXTS_AT_ONCE):
            part = list(enumerate(texts[first : first + _TEXTS_AT_ONCE], first))
            columns += self._part(part, forms, counts)
            progress.advance(len(part))
        row, start, end, form, assertion = np.array(columns, np.int64).reshape(-1, 5).T
        return Found(
            row,
            start,
            end,
            form,
            assertion.astype(np.int8),
            tuple(forms),
            tuple(self.normaliser.matches(list(forms))),
            counts["words"],
            counts["sentences"],
        )

    def _part(
        self, part: Sequence[tuple[int, str]], forms: dict[Name, int], counts: Counter[str]
    ) -> Iterator[tuple[int, int, int, int, int]]:
        """(text, start, end, form, assertion) of the mentions in some texts."""
        read: list[tuple[int, str, list[Sequence[Word]]]] = []
        for row, text in part:
            found = words(text)
            read.append((row, text, sentences(text, found)))
            counts["words"] += len(found)
        divided = [sentence for _, _, its in read for sentence in its]
        counts["sentences"] += len(divided)
        tagged = iter(
            self.tagger.tag([self._corrected([word.text for word in its]) for its in divided])
        )
        for row, text, its in read:
            spans = list(islice(tagged, len(its)))
            bullets = {found.end() - 1 for found in _BULLET.finditer(text)}
            for sentence, own, heading in zip(its, spans, headings(text, its, spans), strict=True):
                if not own:
                    continue
                written = ["" if word.start in bullets else word.text for word in sentence]
                said = self.context.assertions(written, own, heading)
                for span, assertion in zip(own, said, strict=True):
                    form = tuple(map(compared, written[span.start : span.end]))
                    place = of_characters(span, sentence)
                    number = forms.setdefault(form, len(forms))
                    yield row, place.start, place.end, number, ASSERTIONS.index(assertion)

    def _corrected(self, sentence: Sequence[str]) -> Sequence[str]:
        if not self.corrects:
            return sentence
        return [self.normaliser.spelling.corrected(word) for word in sentence]
