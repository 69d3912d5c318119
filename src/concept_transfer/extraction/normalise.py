"""From a mention's words to the concept that they mean: by name, spelling, letters or meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from concept_transfer.extraction.dictionary import Name
from concept_transfer.extraction.names import Names
from concept_transfer.extraction.spelling import Spelling
from concept_transfer.proposals.similarity import (
    Embed,
    embedding_similarity,
    ranked,
    string_similarity,
)

EXACT, SPELLING, FUZZY, EMBEDDING = KINDS = ("exact", "spelling", "fuzzy", "embedding")


class Match(NamedTuple):
    """What a mention means, how that was found (one of `KINDS`), and the cosine (1 of a name)."""

    concept: str
    state: str
    kind: str
    score: float


class Normaliser:
    """Finds the concept of a mention's words, or says that none is like enough.

    fuzzy, cosine: the least cosine of character n-grams, and of vectors; embed: what makes vectors
    of texts on this machine, if mentions are to be compared by their meaning.
    """

    def __init__(
        self, names: Names, fuzzy: float, cosine: float = 1.0, embed: Embed | None = None
    ) -> None:
        self.names, self.fuzzy, self.cosine, self.embed = names, fuzzy, cosine, embed
        self.spelling = Spelling(word for name in names.tokens for word in name)

    def matches(self, mentions: Sequence[Name]) -> list[Match | None]:
        """The match of each of several distinct mentions, given as words that are compared."""
        found = [self._named(mention) for mention in mentions]
        self._fill(found, mentions, FUZZY, self.fuzzy)
        if self.embed is not None:
            self._fill(found, mentions, EMBEDDING, self.cosine)
        return found

    def _named(self, mention: Name) -> Match | None:
        corrected = tuple(map(self.spelling.corrected, mention))
        for kind, name in ((EXACT, mention), (SPELLING, corrected)):
            token = self.names.tokens.get(name)
            if token is not None:
                return Match(*token, kind, 1.0)
        return None

    def _fill(
        self, found: list[Match | None], mentions: Sequence[Name], kind: str, least: float
    ) -> None:
        """Find the match of those that still have none."""
        open_ = [place for place, match in enumerate(found) if match is None]
        if not open_ or not self.names.tokens:
            return
        entries = self.names.entries
        texts = [" ".join(mentions[place]) for place in open_]
        best = ranked(self._similarity(kind, texts), entries, 1)
        for place, concept, cosine, state in zip(
            open_, best.concept[:, 0], best.cosine[:, 0], best.state[:, 0], strict=True
        ):
            if cosine >= least:
                found[place] = Match(entries.concepts[concept], str(state), kind, float(cosine))

    def _similarity(self, kind: str, texts: Sequence[str]) -> NDArray[np.float64]:
        if kind == FUZZY:
            return string_similarity(texts, self.names.entries)
        assert self.embed is not None
        return embedding_similarity(texts, self.names.entries, self.embed)
