"""A dictionary tagger: the longest known name from every word on, whatever its case or number."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concept_transfer.extraction.spans import Span
from concept_transfer.extraction.tagger import Request, Sentence

_SHORT = 3  # letters up to which a word in capitals is an abbreviation, which has no plural
_SINGULAR_ENDINGS = ("ss", "us", "is", "as", "os")

NAMES = "names.json"

Name = tuple[str, ...]  # its words as they are compared


def compared(word: str) -> str:
    """A word without case and plural; a short one in capitals stays, being an abbreviation.

    >>> [compared(word) for word in ("Headaches", "allergies", "virus", "AS", "as")]
    ['headache', 'allergy', 'virus', 'AS', 'as']
    """
    if len(word) <= _SHORT:
        return word if word.isupper() and len(word) > 1 else word.casefold()
    word = word.casefold()
    if word.endswith("ies") and len(word) > _SHORT + 1:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(_SINGULAR_ENDINGS):
        return word[:-1]
    return word


@dataclass(frozen=True)
class Dictionary:
    """types: name -> type of mention."""

    types: Mapping[Name, str]

    @classmethod
    def of(cls, names: Iterable[tuple[Sentence, str]]) -> Dictionary:
        """Of names as words, with their types; one of several types has its commonest."""
        counts: dict[Name, Counter[str]] = {}
        for words, label in names:
            counts.setdefault(tuple(map(compared, words)), Counter())[label] += 1
        return cls({name: types.most_common(1)[0][0] for name, types in counts.items()})

    @classmethod
    def learned(
        cls,
        sentences: Sequence[Sentence],
        spans: Sequence[Sequence[Span]],
        least_precision: float = 0.5,
    ) -> Dictionary:
        """Of the mentions in sentences: names that, where they are found there, are mentions
        often enough."""
        named = cls.of(
            (words[start:end], label)
            for words, mentions in zip(sentences, spans, strict=True)
            for start, end, label in mentions
        )
        found: Counter[Name] = Counter()
        right: Counter[Name] = Counter()
        for words, mentions, tagged in zip(sentences, spans, named.tag(sentences), strict=True):
            marked = set(mentions)
            for span in tagged:
                name = tuple(map(compared, words[span.start : span.end]))
                found[name] += 1
                right[name] += span in marked
        return cls(
            {
                name: label
                for name, label in named.types.items()
                if right[name] >= least_precision * found[name]
            }
        )

    def tag(self, sentences: Sequence[Sentence]) -> list[list[Span]]:
        """See `Tagger`: from left to right, the longest name that begins at a word."""
        longest: dict[str, int] = {}
        for name in self.types:
            longest[name[0]] = max(len(name), longest.get(name[0], 0))
        return [self._tag(words, longest) for words in sentences]

    def _tag(self, sentence: Sentence, longest: Mapping[str, int]) -> list[Span]:
        words = list(map(compared, sentence))
        spans, start = [], 0
        while start < len(words):
            limit = min(longest.get(words[start], 0), len(words) - start)
            for length in range(limit, 0, -1):
                label = self.types.get(tuple(words[start : start + length]))
                if label is not None:
                    spans.append(Span(start, start + length, label))
                    start += length
                    break
            else:
                start += 1
        return spans

    def write(self, folder: Path) -> None:
        """Write the names with their types, a name a line."""
        lines = [json.dumps([list(name), label]) for name, label in sorted(self.types.items())]
        (folder / NAMES).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def read(folder: Path, types: Sequence[str] = (), settings: Any = None) -> Dictionary:
    """What `write` wrote."""
    names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
    return Dictionary({tuple(name): label for name, label in names})


def learn(request: Request) -> Dictionary:
    """The names that a corpus marks."""
    corpus, settings = request.corpus, request.settings
    return Dictionary.learned(corpus.sentences, corpus.spans, settings.least_precision)
