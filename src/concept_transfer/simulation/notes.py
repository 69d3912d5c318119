"""Notes of encounters, written from what is recorded of them by a hospital's own templates.

Every finding that has words is written once, as present or absent; beside it stand sentences about
other people, other times, what may come and what may be, which are no findings, and sentences
about nothing. Where each finding stands, and what is said of it, is known. A note depends on the
seed, its number and what it is written from, not on other notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from concept_transfer.extraction.mentions import ABSENT, PRESENT, Mention
from concept_transfer.simulation.notes_files import ASIDES, Part, Phrases, Said, Style

Token = tuple[str, str]  # concept and state
_PLACE = re.compile(r"\{(\w+)\}")
_LETTERS = 6  # of a word that may be misspelled
_T = TypeVar("_T")


@dataclass(frozen=True)
class Note:
    """category: the type of note; mentions: in the order of the text."""

    text: str
    category: str
    mentions: tuple[Mention, ...]


def write_notes(
    recorded: Iterable[Sequence[Token]], style: Style, phrases: Phrases, seed: int
) -> Iterator[Note]:
    """A note for each encounter, given the tokens that are recorded of it."""
    for number, tokens in enumerate(recorded):
        yield _Writer(style, phrases, Random(f"{seed}/{number}")).note(tokens)


class _Writer:
    """Writes one note."""

    def __init__(self, style: Style, phrases: Phrases, random: Random) -> None:
        self.style, self.phrases, self.random = style, phrases, random
        self.parts: list[str] = []
        self.length = 0
        self.mentions: list[Mention] = []

    def note(self, tokens: Sequence[Token]) -> Note:
        types = self.style.types
        category = self._drawn(list(types), [each.share for each in types.values()])
        known = [token for token in tokens if self._phrased(token)]
        for part in types[category].sections:
            self._part(part, known)
        return Note("".join(self.parts), category, tuple(self.mentions))

    def _phrased(self, token: Token) -> bool:
        return token in self.phrases.words or (
            token[1] == ABSENT and (token[0], PRESENT) in self.phrases.words
        )

    def _part(self, part: Part, tokens: Sequence[Token]) -> None:
        self._add(f"{part.heading}\n")
        asides = {str(name): mean for name, mean in self.style.asides.items()}
        for kind in part.holds:
            if kind in ASIDES:
                for _ in range(self._count(asides.get(kind, 0.0))):
                    self._aside(kind, tokens)
            else:
                own = [token for token in tokens if self.phrases.groups[token[0]] == kind]
                self._findings(kind, own)
        self._add("\n")

    def _findings(self, kind: str, tokens: Sequence[Token]) -> None:
        templates = getattr(self.style.sentences, kind)
        if not isinstance(templates, Said):
            for token in tokens:
                self._sentence(templates, [token], "")
            return
        for assertion in (PRESENT, ABSENT):
            waiting = [token for token in tokens if (token[1] == ABSENT) == (assertion == ABSENT)]
            while waiting:
                size = 1 + self._drawn(range(len(self.style.lists)), self.style.lists)
                self._sentence(getattr(templates, assertion), waiting[:size], assertion)
                waiting = waiting[size:]

    def _aside(self, kind: str, tokens: Sequence[Token]) -> None:
        """A sentence that says nothing of whether this visit has the finding."""
        said = {concept for concept, _ in tokens}
        others = [
            (concept, state)
            for concept, state in self.phrases.words
            if state == PRESENT and concept not in said
        ]
        if others:
            self._sentence(getattr(self.style.sentences, kind), [self._one_of(others)], kind)

    def _sentence(self, templates: Sequence[str], tokens: Sequence[Token], assertion: str) -> None:
        """A sentence that names the tokens, and those about nothing that follow it; a template for
        one finding is repeated for each."""
        template = self._one_of(templates)
        before, place, after = _PLACE.split(template)
        groups = [[token] for token in tokens] if place.lower() == "one" else [tokens]
        for group in groups:
            self._add(before)
            for number, token in enumerate(group):
                if number:
                    last = number == len(group) - 1
                    self._add(f" {place.lower()} " if last else ", ")
                self._mention(token, assertion, capital=place[0].isupper() and not number)
            self._add(f"{after} ")
        for _ in range(self._count(self.style.filler)):
            self._add(f"{self._one_of(self.style.sentences.filler)} ")

    def _mention(self, token: Token, assertion: str, capital: bool) -> None:
        concept, state = token if token[1] != ABSENT else (token[0], PRESENT)
        registers = self.style.registers
        register = self._drawn(list(registers), list(registers.values()))
        phrase = self._one_of(self.phrases.words[concept, state][register])
        if self.random.random() < self.style.misspelled:
            phrase = self._misspelled(phrase)
        if capital:
            phrase = phrase[0].upper() + phrase[1:]
        if assertion:
            start = self.length
            self.mentions.append(Mention(start, start + len(phrase), concept, state, assertion))
        self._add(phrase)

    def _misspelled(self, phrase: str) -> str:
        """Two letters of a long word swapped, or one lost, but never the first."""
        words = phrase.split(" ")
        long = [i for i, word in enumerate(words) if len(word) >= _LETTERS and word.isalpha()]
        if not long:
            return phrase
        number = self._one_of(long)
        word = words[number]
        place = 1 + int(self.random.random() * (len(word) - 2))
        swap = self.random.random() < 0.5
        middle = word[place + 1] + word[place] if swap else word[place + 1]
        words[number] = word[:place] + middle + word[place + 2 :]
        return " ".join(words)

    def _add(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def _one_of(self, several: Sequence[_T]) -> _T:
        return several[int(self.random.random() * len(several))]

    def _drawn(self, several: Sequence[_T], shares: Sequence[float]) -> _T:
        chance = self.random.random() * sum(shares)
        for each, share in zip(several, shares, strict=True):
            chance -= share
            if chance < 0:
                return each
        return several[-1]

    def _count(self, mean: float) -> int:
        """A whole number beside the mean."""
        return int(mean) + (self.random.random() < mean % 1)
