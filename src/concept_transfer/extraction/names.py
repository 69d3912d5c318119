"""The names under which texts may mention a vocabulary's concepts: its own words, and synonyms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from concept_transfer.concepts.tsv import read_rows
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, named
from concept_transfer.extraction.dictionary import Dictionary, Name, compared
from concept_transfer.extraction.mentions import ABSENT, PRESENT
from concept_transfer.extraction.words import words
from concept_transfer.proposals.similarity import ConceptTexts

COLUMNS = ("concept", "synonym")
FINDING = "finding"  # the one type of mention of a dictionary of findings
Token = tuple[str, str]  # concept and state
_NO_NAME = 5  # letters: a part of a text that is one such word alone would be found anywhere
_NEGATED = ("no ", "not ", "without ")
_UNSAID = "no information"


@dataclass(frozen=True)
class Names:
    """tokens: name, as words that are compared -> concept and state; texts: the name as written;
    shared: of names that the vocabulary gives several concepts, and no synonym one, these: the name
    stands for the first."""

    tokens: Mapping[Name, Token]
    texts: Mapping[Name, str]
    shared: Mapping[Name, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def dictionary(self) -> Dictionary:
        """A tagger that finds the names."""
        return Dictionary(dict.fromkeys(self.tokens, FINDING))

    @cached_property
    def entries(self) -> ConceptTexts:
        """The names as texts to compare others with."""
        concepts = tuple(dict.fromkeys(concept for concept, _ in self.tokens.values()))
        position = {concept: i for i, concept in enumerate(concepts)}
        rows = sorted(self.tokens, key=lambda name: position[self.tokens[name][0]])
        return ConceptTexts(
            concepts,
            tuple(self.texts[name] for name in rows),
            np.array([position[self.tokens[name][0]] for name in rows]),
            np.arange(len(rows)),
            tuple(self.tokens[name][1] for name in rows),
        )


def names_of(vocabulary: Vocabulary, synonyms: Path | None = None) -> Names:
    """The names of concepts, the texts of their states and the parts of these (between commas and
    brackets), and the synonyms of a table (concept, synonym and, where needed, state).

    A synonym goes before the vocabulary's words, of these the first that a name stands for. Texts
    that deny something are no names: what is denied is a matter of the words around a mention.
    Raises StudyError naming file and line.
    """
    tokens: dict[Name, Token] = {}
    texts: dict[Name, str] = {}
    concepts_of: dict[Name, list[str]] = {}

    def add(text: str, token: Token) -> bool:
        name = tuple(compared(word.text) for word in words(text))
        if name and name not in tokens:
            tokens[name], texts[name] = token, text
        concepts = concepts_of.setdefault(name, [])
        if token[0] not in concepts:
            concepts.append(token[0])
        return bool(name) and tokens[name] == token

    for where, row in read_rows("synonyms", synonyms, COLUMNS, ("state",)) if synonyms else ():
        token = row["concept"], row["state"] or PRESENT
        with named(where):
            vocabulary.token(*token)
        if not add(row["synonym"], token):
            raise StudyError(
                f"{where}: column 'synonym' is '{row['synonym']}', which "
                + ("stands for another concept or state above" if row["synonym"] else "has no word")
                + "; a synonym stands for one"
            )
    settled = set(tokens)
    for number, (concept, state) in enumerate(
        zip(vocabulary.concepts, vocabulary.states, strict=True)
    ):
        if state == PRESENT:
            add(vocabulary.names[number], (concept, state))
        text = vocabulary.texts[number]
        if state == _UNSAID or (state == ABSENT and text.startswith(_NEGATED)):
            continue
        for part in [text, *filter(_is_name, _parts(text))]:
            add(part, (concept, state))
    shared = {
        name: concepts
        for name, concepts in concepts_of.items()
        if name and len(concepts) > 1 and name not in settled
    }
    return Names(tokens, texts, shared)


def _parts(text: str) -> list[str]:
    """What stands between commas, before a bracket and in it.

    >>> _parts("red throat (pharyngitis) on examination, hoarse voice")
    ['red throat', 'pharyngitis', 'hoarse voice']
    """
    found = []
    for part in text.split(","):
        before, _, bracket = part.partition("(")
        found += [before.strip(), bracket.partition(")")[0].strip()]
    return list(filter(None, found))


def _is_name(part: str) -> bool:
    """Whether a part of a text says enough to stand alone."""
    return not part.startswith(_NEGATED) and (" " in part or len(part) > _NO_NAME)
