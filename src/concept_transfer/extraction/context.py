"""What the words around a mention say of it: absent, uncertain, hypothetical, another's, or past.

NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029) with the further kinds of ConText (Harkema
et al. 2009, doi:10.1016/j.jbi.2009.05.002): phrases of a table reach over the mentions behind or
before them, as far as their scope says, or to the end of the sentence or a phrase that ends their
reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from concept_transfer.concepts.tsv import read_rows
from concept_transfer.errors import StudyError
from concept_transfer.extraction.mentions import (
    ABSENT,
    FAMILY,
    HYPOTHETICAL,
    PAST,
    PRESENT,
    UNCERTAIN,
)
from concept_transfer.extraction.spans import Span
from concept_transfer.extraction.words import words

COLUMNS = ("phrase", "kind", "direction")
_NAME = re.compile(r"\{\w+\}")
TERMINATION, PSEUDO = "termination", "pseudo"
FORWARD, BACKWARD = "forward", "backward"
# What a kind says of mentions, the strongest first: of another's finding nothing else counts.
SAYS = {
    "family": FAMILY,
    "hypothetical": HYPOTHETICAL,
    "negated": ABSENT,
    "past": PAST,
    "uncertain": UNCERTAIN,
}
WORDS = "words"  # names words that stand for each other
KINDS = (*SAYS, TERMINATION, PSEUDO, WORDS)
OF_HEADINGS = ("family", "hypothetical", "past")  # kinds that reach from a heading over its section


@dataclass(frozen=True)
class Cue:
    """A phrase that says something: its words without case; `reach` in words, None for all."""

    phrase: tuple[str, ...]
    kind: str
    direction: str
    reach: int | None


@dataclass(frozen=True)
class Context:
    """Cues by their first word: of one phrase together, the longest phrases first."""

    cues: Mapping[str, Sequence[tuple[tuple[str, ...], Sequence[Cue]]]]

    @classmethod
    def read(cls, path: Path) -> Context:
        """Read and check a table of cues. Raises StudyError naming file and line."""
        phrases: dict[tuple[str, ...], list[Cue]] = {}
        names: dict[str, str] = {}
        for where, row in read_rows("cues", path, COLUMNS, ("scope",)):
            if row["kind"] == WORDS:
                name, _, alike = row["phrase"].partition("=")
                names[f"{{{name.strip()}}}"] = alike.strip()
                continue
            for cue in _cues(where, row, names):
                phrases.setdefault(cue.phrase, []).append(cue)
        by_word: dict[str, list[tuple[tuple[str, ...], Sequence[Cue]]]] = {}
        for phrase in sorted(phrases, key=len, reverse=True):
            by_word.setdefault(phrase[0], []).append((phrase, phrases[phrase]))
        return cls(by_word)

    def assertions(
        self, sentence: Sequence[str], mentions: Sequence[Span], heading: Sequence[str] = ()
    ) -> list[str]:
        """What the words of a sentence, and of the heading over it, say of each of the mentions in
        the sentence, one of `ASSERTIONS`.

        Words of a mention are no cues. Those of a heading are as if they stood before the sentence.
        """
        above = ((0, 0, cue) for _, _, cue in self._found(heading, ()) if cue.kind in OF_HEADINGS)
        found = [*above, *self._found(sentence, mentions)]
        if not found:
            return [PRESENT] * len(mentions)
        ends = [place for place in found if place[2].kind == TERMINATION]
        said: list[set[str]] = [set() for _ in mentions]
        for start, end, cue in found:
            if cue.kind in SAYS:
                first, last = _scope(start, end, cue, ends, len(sentence))
                for mention, kinds in zip(mentions, said, strict=True):
                    if mention.start < last and mention.end > first:
                        kinds.add(cue.kind)
        return [
            next((says for kind, says in SAYS.items() if kind in kinds), PRESENT) for kinds in said
        ]

    def _found(
        self, sentence: Sequence[str], mentions: Sequence[Span]
    ) -> Iterator[tuple[int, int, Cue]]:
        """The cues of a sentence as (start, end, cue), from left to right, the longest first."""
        plain = [word.casefold() for word in sentence]
        for start, end, _ in mentions:
            plain[start:end] = [""] * (end - start)
        place = 0
        while place < len(plain):
            for phrase, cues in self.cues.get(plain[place], ()):
                if tuple(plain[place : place + len(phrase)]) == phrase:
                    end = place + len(phrase)
                    yield from ((place, end, cue) for cue in cues)
                    place = end
                    break
            else:
                place += 1


def _scope(
    start: int, end: int, cue: Cue, ends: Sequence[tuple[int, int, Cue]], length: int
) -> tuple[int, int]:
    """The words [first, last) that a cue at [start, end) speaks of."""
    reach = length if cue.reach is None else cue.reach
    if cue.direction == FORWARD:
        return end, min([end + reach, *(first for first, _, _ in ends if first >= end)])
    return max([start - reach, 0, *(last for _, last, _ in ends if last <= start)]), start


def _cues(where: str, row: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Cue]:
    """The cues of a row: one for each way to choose among words that may stand for each other,
    some of which have a name."""
    kind, direction, scope = row["kind"], row["direction"], row["scope"]
    if kind not in KINDS:
        raise StudyError(f"{where}: column 'kind' is '{kind}'; it is one of {', '.join(KINDS)}")
    accepted = (FORWARD, BACKWARD) if kind in SAYS else ("",)
    if direction not in accepted:
        raise StudyError(
            f"{where}: column 'direction' is '{direction}'; "
            + (f"it is {FORWARD} or {BACKWARD}" if kind in SAYS else f"a {kind} has none")
        )
    if scope and not (scope.isdecimal() and int(scope)):
        raise StudyError(
            f"{where}: column 'scope' is '{scope}'; it is a number of words, or empty for all"
        )
    parts = [_NAME.sub(lambda name: names.get(name[0], ""), part) for part in row["phrase"].split()]
    choices = [part.split("|") for part in parts]
    for chosen in product(*choices):
        phrase = tuple(word.text.casefold() for part in chosen for word in words(part))
        if len(phrase) < len(choices):
            raise StudyError(
                f"{where}: column 'phrase' has a part without a word; a cue has words, and names "
                f"in braces are those of rows above of the kind '{WORDS}'"
            )
        yield Cue(phrase, kind, direction, int(scope) if scope else None)
