"""Which concepts of the vocabulary a site's codes stand for.

A crosswalk is a TSV with the columns `site_code` and `concept`, and where needed `state`,
`relation` and `note`. A code may stand for several concepts, one a row. A code that ends in `*` is
a prefix: it speaks for all codes that begin so and have no row of their own nor a longer prefix.

The relation is one of SKOS (Miles, Bechhofer 2009, https://www.w3.org/TR/skos-reference/#mapping),
said of the concept: `exact` (also where the column is empty), `broader`, `narrower` or `related`.
`none` says that somebody looked and the vocabulary has no such concept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.tsv import read_rows
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError

COLUMNS = ("site_code", "concept")
OPTIONAL = ("state", "relation", "note")
EXACT, NONE, PROPOSED = "exact", "none", "proposed"
RELATIONS = (EXACT, "broader", "narrower", "related", NONE)
PREFIX = "*"


@dataclass(frozen=True)
class Link:
    """A row of a crosswalk: `code` (with its `*` where it is a prefix), `concept` ("" under the
    relation `none`), `state` ("" where the row does not say), and `where` the row stands."""

    code: str
    concept: str
    state: str
    relation: str
    note: str
    where: str


@dataclass(frozen=True)
class Crosswalk:
    """The rows of a crosswalk in their order, and the vocabulary that they lead to."""

    links: tuple[Link, ...]
    vocabulary: Vocabulary

    @classmethod
    def read(cls, path: Path, vocabulary: Vocabulary) -> Crosswalk:
        """Read and check a crosswalk.

        Raises StudyError that names file and line for an empty cell, a concept (with the nearest
        ones), state or relation that there is not, and a code with one concept twice.
        """
        links = []
        first: dict[tuple[str, str], Link] = {}
        for where, row in read_rows("crosswalk", path, COLUMNS, OPTIONAL):
            link = Link(
                row["site_code"],
                row["concept"],
                row["state"],
                row["relation"] or EXACT,
                row["note"],
                where,
            )
            _check(link, vocabulary)
            before = first.setdefault((link.code, link.concept), link)
            if before is not link:
                states = " and ".join(f"'{each.state or 'present'}'" for each in (before, link))
                raise StudyError(
                    f"{where}: code '{link.code}' has the concept "
                    f"{link.concept or '(none)'} twice, with the states {states}, first in "
                    f"{before.where}; a code has each concept once"
                )
            links.append(link)
        crosswalk = cls(tuple(links), vocabulary)
        for rows in crosswalk._rows.values():
            kinds = {links[row].relation == NONE for row in rows}
            if len(kinds) > 1:
                link = links[rows[-1]]
                raise StudyError(
                    f"{link.where}: code '{link.code}' has a concept and the relation '{NONE}', "
                    "which says that it has none; keep one of the two"
                )
        return crosswalk

    def matches(self, codes: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows that speak for codes: pairs (position in `codes`, position in `links`).

        int64 [pairs] each, ascending. Rows with the relation `none` are among them.
        """
        found = [self._rows.get(self._pattern(code), ()) for code in codes]
        counts = [len(rows) for rows in found]
        rows = np.fromiter((row for each in found for row in each), np.int64, sum(counts))
        return np.repeat(np.arange(len(found)), counts), rows

    def tokens(self, codes: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The tokens that codes stand for: pairs (position in `codes`, token id).

        int64 [pairs] each, ascending by code, in the order of the crosswalk's rows. A row that
        says no state means `present`. Raises StudyError naming the row whose concept has no such
        state.
        """
        positions, rows = self.matches(codes)
        token_of = np.full(len(self.links), -1, np.int64)
        for row in np.unique(rows):
            if self.links[row].concept:
                token_of[row] = self._token(self.links[row])
        tokens = token_of[rows]
        return positions[tokens >= 0], tokens[tokens >= 0]

    def require_tokens(self) -> None:
        """Raise StudyError where a row leads to no token; for codes without states of their own."""
        self.tokens([link.code for link in self.links])

    def known(self, codes: Sequence[str]) -> NDArray[np.bool_]:
        """Whether a row speaks for each code, be it to say that it has no concept; [codes]."""
        return np.array([self._pattern(code) in self._rows for code in codes], bool)

    def _token(self, link: Link) -> int:
        try:
            return self.vocabulary.token(link.concept, link.state or "present")
        except StudyError as error:
            raise StudyError(f"{link.where}: {error}") from None

    def _pattern(self, code: str) -> str:
        """The code itself if it has rows, else the longest prefix that speaks for it."""
        if code in self._rows and not code.endswith(PREFIX):
            return code
        starts = (code[:length] + PREFIX for length in self._lengths if length <= len(code))
        return next((start for start in starts if start in self._rows), "")

    @cached_property
    def _rows(self) -> dict[str, tuple[int, ...]]:
        return _grouped((link.code, row) for row, link in enumerate(self.links))

    @cached_property
    def _lengths(self) -> list[int]:
        """Lengths of the prefixes, the longest first."""
        prefixes = (code for code in self._rows if code.endswith(PREFIX))
        return sorted({len(prefix) - len(PREFIX) for prefix in prefixes}, reverse=True)


def _grouped(pairs: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    groups: dict[str, list[int]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}


def _check(link: Link, vocabulary: Vocabulary) -> None:
    if not link.code.rstrip(PREFIX):
        raise StudyError(
            f"{link.where}: column 'site_code' is '{link.code}'; it holds a code of the site, or "
            "the beginning of codes and a *"
        )
    if link.relation == PROPOSED:
        raise StudyError(
            f"{link.where}: the mapping of '{link.code}' is proposed and not reviewed; set "
            f"'relation' to one of {', '.join(RELATIONS)}, or take the row out"
        )
    if link.relation not in RELATIONS:
        raise StudyError(
            f"{link.where}: column 'relation' is '{link.relation}'; it is one of "
            f"{', '.join(RELATIONS)}"
        )
    if (link.relation == NONE) == bool(link.concept):
        raise StudyError(
            f"{link.where}: column 'concept' is '{link.concept}' and 'relation' is "
            f"'{link.relation}'; a code without a concept has the relation '{NONE}' and an empty "
            "concept, and no other code has"
        )
    if link.state and not link.concept:
        raise StudyError(f"{link.where}: column 'state' is '{link.state}', but there is no concept")
    if link.concept:
        vocabulary.require(link.concept, link.where)
    if link.state:
        try:
            vocabulary.token(link.concept, link.state)
        except StudyError as error:
            raise StudyError(f"{link.where}: {error}") from None
