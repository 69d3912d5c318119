"""The codes that graphs are made of: which there are, what they are called, and of what kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.tsv import read_rows
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.interconnections.code_sets import CodeSets
from concept_transfer.pretraining.vocabulary import longest_prefix, read
from concept_transfer.settings.interconnections import CodeNodes

COLUMNS = ("code", "name", "block", "block_name", "chapter", "chapter_name")
MOST = 5000


@dataclass(frozen=True)
class Nodes:
    """K codes, with their names, and the nearest and the highest kind that each belongs to (ids and
    names; '' where an ontology does not know it)."""

    code: tuple[str, ...]
    name: tuple[str, ...]
    block: tuple[str, ...]
    block_name: tuple[str, ...]
    chapter: tuple[str, ...]
    chapter_name: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.code)

    def write(self, path: Path) -> None:
        """Write ``nodes.tsv``."""
        rows = [COLUMNS, *zip(*(getattr(self, name) for name in COLUMNS), strict=True)]
        text = "\n".join("\t".join(row) for row in rows)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Nodes:
        """What `write` wrote."""
        rows = [row for _, row in read_rows("codes", path, COLUMNS)]
        return cls(*(tuple(row[name] for row in rows) for name in COLUMNS))


@dataclass(frozen=True)
class Ontology:
    """Codes with their names, and the code that each is a kind of ('' for the highest)."""

    names: Mapping[str, str]
    parents: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Ontology:
        """From a TSV with the columns code, parent and name.

        Raises StudyError naming the line: a code that is there twice, a parent that is not there,
        a code above itself.
        """
        names, parents, places = dict[str, str](), dict[str, str](), dict[str, str]()
        for where, row in read_rows("ontology", path, ("code", "parent", "name")):
            if row["code"] in names:
                raise StudyError(f"{where} has the code '{row['code']}' again; keep one row of it")
            names[row["code"]], parents[row["code"]] = row["name"], row["parent"]
            places[row["code"]] = where
        for code, parent in parents.items():
            if parent and parent not in names:
                raise StudyError(
                    f"{places[code]}: the parent '{parent}' of '{code}' has no row; add one, or "
                    "leave the parent empty"
                )
        found = cls(names, parents)
        for code in names:
            if found.above(code) is None:
                raise StudyError(
                    f"{places[code]}: '{code}' lies above itself; parents must not go in a circle"
                )
        return found

    def above(self, code: str) -> list[str] | None:
        """What a code is a kind of, the nearest first; None where that goes in a circle."""
        line = list[str]()
        while code := self.parents[code]:
            if code in line:
                return None
            line.append(code)
        return line


def cut(code: str, characters: int | None) -> str:
    """A code cut to so many characters after the last '/', without '-' and '.' at its end.

    >>> cut("ICD10CM/E11.9", 3), cut("R05-", 3), cut("E11.9", None)
    ('ICD10CM/E11', 'R05', 'E11.9')
    """
    before, slash, own = code.rpartition("/")
    kept = own if characters is None else own[:characters]
    return before + slash + kept.rstrip("-.")


def chosen_codes(sites: Sequence[CodeSets], settings: CodeNodes) -> list[str]:
    """The codes, cut, that `min_patients` patients of all sites have, sorted.

    Raises StudyError where fewer than three are left, or too many for a graph.
    """
    counts: dict[str, int] = {}
    for sets in sites:
        own, number = numbered(sets.names, settings)
        cut_sets = sets.renamed(number, own)
        for code, count in zip(own, cut_sets.patients_with(), strict=True):
            counts[code] = counts.get(code, 0) + int(count)
    codes = sorted(code for code, count in counts.items() if count >= settings.min_patients)
    if len(codes) < 3:
        raise StudyError(
            f"interconnections.codes: of all codes {len(codes)} are left that "
            f"{settings.min_patients} patients have, and a graph needs three; lower min_patients, "
            "or widen 'only'"
        )
    if len(codes) > MOST:
        raise StudyError(
            f"interconnections.codes: {len(codes):,} codes are more than the {MOST:,} that can be "
            "compared pair by pair; raise min_patients, lower 'characters', or narrow 'only'"
        )
    return codes


def numbered(
    names: Sequence[str], settings: CodeNodes, codes: Sequence[str] | None = None
) -> tuple[list[str], NDArray[np.int64]]:
    """The cut codes (those given, or all that names become) and the number of each name among
    them, -1 where it is none."""
    wanted = read(names, settings.only)
    became = [cut(name, settings.characters) for name in names]
    if codes is None:
        codes = sorted({code for code, own in zip(became, wanted, strict=True) if own})
    places = {code: place for place, code in enumerate(codes)}
    number = [places.get(b, -1) if own else -1 for b, own in zip(became, wanted, strict=True)]
    return list(codes), np.array(number, np.int64)


def described(
    codes: Sequence[str], prefix: str, ontology: Ontology | None, vocabulary: Vocabulary
) -> Nodes:
    """Names and kinds of codes: of the ontology, else of the vocabulary's concept with that id, or
    of the first that begins so; else the code is its own name, of no kind."""
    rows = [_described(code, prefix, ontology, vocabulary) for code in codes]
    return Nodes(tuple(codes), *(tuple(column) for column in zip(*rows, strict=True)))


def _described(
    code: str, prefix: str, ontology: Ontology | None, vocabulary: Vocabulary
) -> tuple[str, str, str, str, str]:
    concept = next((c for c in vocabulary.concepts if c == code), None) or next(
        (c for c in vocabulary.concepts if c.startswith(code)), None
    )
    place = vocabulary.concepts.index(concept) if concept else None
    name = code if place is None else vocabulary.names[place]
    category = "" if place is None else vocabulary.categories[place]
    if ontology is None:
        return name, category, category, category, category
    own = code.removeprefix(prefix) if code.startswith(prefix) else ""
    known = longest_prefix(own.replace(".", ""), ontology.names)
    if known is None:
        return name, "", "", "", ""
    above = ontology.above(known) or [known]
    block, chapter = above[0], above[-1]
    exact = ontology.names[known] if known == own.replace(".", "") else name
    return exact, block, ontology.names[block], chapter, ontology.names[chapter]
