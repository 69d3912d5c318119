"""The vocabulary of a study: its tokens (concept, state) in a fixed order, each with its text."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.bins import Binned, read_bins
from concept_transfer.concepts.tsv import read_rows
from concept_transfer.errors import StudyError

COLUMNS = ("concept", "name", "category", "state", "text")
LOWER = "lower"


@dataclass(frozen=True)
class Vocabulary:
    """Tokens of a study, one entry a token in every tuple; the token id is the position.

    Fixed before any site is read, so that a token id means the same at every site, in every
    embedding table and in every model. `lowers` is empty, or holds for every token the number at
    which a bin begins ("" for a token that is no bin).
    """

    concepts: tuple[str, ...]
    names: tuple[str, ...]
    categories: tuple[str, ...]
    states: tuple[str, ...]
    texts: tuple[str, ...]
    lowers: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.concepts)

    @cached_property
    def index(self) -> dict[tuple[str, str], int]:
        """Token id of every (concept, state)."""
        return {key: i for i, key in enumerate(zip(self.concepts, self.states, strict=True))}

    @cached_property
    def concept_states(self) -> dict[str, tuple[str, ...]]:
        """States of every concept, both in vocabulary order."""
        states_of: dict[str, list[str]] = {}
        for concept, state in zip(self.concepts, self.states, strict=True):
            states_of.setdefault(concept, []).append(state)
        return {concept: tuple(states) for concept, states in states_of.items()}

    @cached_property
    def concept_numbers(self) -> NDArray[np.int64]:
        """The place of each token's concept among `concept_states`, int64 [tokens]."""
        position = {concept: i for i, concept in enumerate(self.concept_states)}
        return np.array([position[concept] for concept in self.concepts], np.int64)

    @cached_property
    def bins(self) -> dict[str, Binned]:
        """Bins of every concept whose states are intervals of a number (StudyError)."""
        return read_bins(self.concepts, self.states, self.lowers)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all columns of all tokens, in order."""
        return hashlib.sha256(self._as_tsv().encode()).hexdigest()

    @cached_property
    def identity(self) -> str:
        """SHA-256 of what the tokens are, in order, whatever their texts and categories."""
        return self.digest_of("concepts", "names", "states")

    def digest_of(self, *columns: str) -> str:
        """SHA-256 of the tuples of these names, and of the bins: all that a reader of them sees."""
        parts = [getattr(self, column) for column in (*columns, "lowers")]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def token(self, concept: str, state: str) -> int:
        """Token id of a concept's state.

        Raises StudyError naming the nearest concepts, or the concept's states.
        """
        token = self.index.get((concept, state))
        if token is not None:
            return token
        self.require(concept)
        raise StudyError(
            f"concept {concept} ({self.names[self.concepts.index(concept)]}) has no state "
            f"'{state}'; its states are {', '.join(self.concept_states[concept])}"
        )

    def require(self, concept: str, where: str = "") -> None:
        """Raise StudyError unless the vocabulary has the concept; `where` starts the message."""
        if concept not in self.concept_states:
            prefix = f"{where}: " if where else ""
            raise StudyError(
                f"{prefix}the vocabulary has no concept '{concept}'{self._nearest(concept)}"
            )

    @classmethod
    def read(cls, path: Path | str) -> Vocabulary:
        """Read and check a vocabulary table (UTF-8 TSV; lines that start with # are comments).

        The column `lower` may be absent; without it no state is a bin.

        Raises StudyError that names the file, the line and what is accepted there.
        """
        path = Path(path)
        table = read_rows("vocabulary", path, COLUMNS, (LOWER,))
        rows = [(where, tuple(row[column] for column in COLUMNS)) for where, row in table]
        lowers = tuple(row[LOWER] for _, row in table)
        _check(rows)
        if not rows:
            raise StudyError(f"vocabulary {path} has a header and no token")
        read = cls(*(tuple(column) for column in zip(*(row for _, row in rows), strict=True)))
        return replace(read, lowers=lowers) if any(lowers) else read

    def write(self, path: Path | str) -> None:
        """Write the table that `read` reads back unchanged."""
        Path(path).write_text(self._as_tsv(), encoding="utf-8")

    def _as_tsv(self) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        columns = [self.concepts, self.names, self.categories, self.states, self.texts]
        writer.writerow([*COLUMNS, LOWER] if self.lowers else COLUMNS)
        writer.writerows(zip(*columns, *([self.lowers] if self.lowers else []), strict=True))
        return text.getvalue()

    def _nearest(self, concept: str) -> str:
        by_name = {self.names[i].casefold(): c for i, c in enumerate(self.concepts)}
        close = difflib.get_close_matches(concept, self.concept_states, n=3)
        close += [
            by_name[name]
            for name in difflib.get_close_matches(concept.casefold(), by_name, n=3)
            if by_name[name] not in close
        ]
        if not close:
            return f"; it has {len(self.concept_states)} concepts, the first is {self.concepts[0]}"
        described = (f"{c} ({self.names[self.concepts.index(c)]})" for c in close)
        return f"; the nearest are {', '.join(described)}"


def _check(rows: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    """Every value present, (concept, state) unique, name and category constant in a concept."""
    tokens: dict[tuple[str, str], str] = {}
    constant: dict[tuple[str, str], tuple[str, str]] = {}
    for where, row in rows:
        for column, value in zip(COLUMNS, row, strict=True):
            if not value:
                raise StudyError(f"{where}: column '{column}' is empty; every token needs one")
        concept, name, category, state, _ = row
        first = tokens.setdefault((concept, state), where)
        if first != where:
            raise StudyError(
                f"{where}: token ({concept}, {state}) is there twice, first in {first}; "
                "a concept has each state once"
            )
        for column, value in (("name", name), ("category", category)):
            before, line = constant.setdefault((concept, column), (value, where))
            if value != before:
                raise StudyError(
                    f"{where}: {column} of concept {concept} is '{value}', but '{before}' in "
                    f"{line}; all states of a concept share one {column}"
                )
