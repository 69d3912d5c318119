"""What a tagger does: it finds the mentions of entities in the words of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from concept_transfer.extraction.spans import Span

if TYPE_CHECKING:
    from concept_transfer.extraction.corpus import Corpus

Sentence = Sequence[str]  # its words
CARD = "tagger.json"  # of a folder with a tagger that has learned

# How a tagger of a kind learns: a function of a Request.
LEARN = {
    "dictionary": "concept_transfer.extraction.dictionary:learn",
    "hashed_crf": "concept_transfer.extraction.hashed_crf:learn",
    "encoder": "concept_transfer.extraction.encoder_tagger:learn",
}
# How one is read that has learned (`kept`): a function of its folder, types and settings.
READ = {
    "dictionary": "concept_transfer.extraction.dictionary:read",
    "hashed_crf": "concept_transfer.extraction.hashed_crf:read",
    "encoder": "concept_transfer.extraction.encoder_tagger:read",
    "ensemble": "concept_transfer.extraction.together:read",
}


class Tagger(Protocol):
    """Finds mentions; whether it learned how, and from what, is its own affair."""

    def tag(self, sentences: Sequence[Sentence]) -> list[list[Span]]:
        """The mentions in each sentence: spans of its words, in their order, none over another."""
        ...


class LearnedTagger(Tagger, Protocol):
    """A tagger that files can hold."""

    def write(self, folder: Path) -> None:
        """Write the files of its kind (`kept.FILES`) to an empty folder."""
        ...


@dataclass(frozen=True)
class Request:
    """What a tagger is to learn; where: what errors call it; settings: of its kind; seed: all that
    chance decides follows from it; device, threads: what torch computes on."""

    where: str
    corpus: Corpus
    types: Sequence[str]
    settings: Any
    seed: int = 0
    root: Path = field(default_factory=Path.cwd)
    device: str = "cpu"
    threads: int = 1

    def of(self, corpus: Corpus) -> Request:
        """The same of another corpus."""
        return replace(self, corpus=corpus)
