"""What a tagger does: it finds the mentions of entities in the words of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from concept_transfer.extraction.spans import Span

Sentence = Sequence[str]  # its words


class Tagger(Protocol):
    """Finds mentions; whether it learned how, and from what, is its own affair."""

    def tag(self, sentences: Sequence[Sentence]) -> list[list[Span]]:
        """The mentions in each sentence: spans of its words, in their order, none over another."""
        ...
