"""The codes of a site: what they mean in words, how often they are used, and their concepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.tsv import read_rows
from concept_transfer.errors import StudyError

COLUMNS = ("code", "description")


@dataclass(frozen=True)
class Code:
    """A code that a site records: its text ("" where nobody knows one), the encounters that have
    it, and the concepts that the crosswalk gives it (none of a code that lacks a mapping)."""

    code: str
    text: str
    encounters: int
    concepts: tuple[str, ...] = ()


def codes_of_site(
    report: Mapping[str, Any], crosswalk: Crosswalk, descriptions: Mapping[str, str]
) -> list[Code]:
    """Codes without a concept and codes that the crosswalk maps, the most frequent first.

    `report`: the site's ``report.json``. Codes that are set aside are left out, and so are codes
    that are concepts by their name.
    """

    def text(code: str) -> str:
        return descriptions.get(code) or words_of(code)

    mapped = report["mapping"]["mapped_codes"]
    concepts: dict[str, list[str]] = {}
    names = list(mapped)
    for position, row in zip(*crosswalk.matches(names), strict=True):
        concepts.setdefault(names[position], []).append(crosswalk.links[row].concept)
    codes = [Code(code, text(code), count) for code, count in report["unmapped"].items()]
    codes += [Code(code, text(code), mapped[code], tuple(its)) for code, its in concepts.items()]
    return sorted(codes, key=lambda code: (-code.encounters, code.code))


def words_of(code: str) -> str:
    """The code as words, "" if it is none.

    >>> words_of("dry_cough"), words_of("R05.1"), words_of("T")
    ('dry cough', '', '')
    """
    words = " ".join(re.split(r"[^\w]|_", code)).split()
    letters = "".join(words)
    return " ".join(words) if letters.isalpha() and len(letters) > 2 else ""


def read_descriptions(path: Path) -> dict[str, str]:
    """Code -> description, from a TSV with these two columns.

    A vocabulary serves as well: its concepts are the codes, and their names the descriptions.
    Raises StudyError naming file and line.
    """
    what = "descriptions of codes"
    rows = read_rows(what, path, ())
    columns = tuple(rows[0][1]) if rows else COLUMNS
    code, description = COLUMNS if "code" in columns else ("concept", "name")
    described: dict[str, str] = {}
    for where, row in read_rows(what, path, (code, description)):
        before = described.setdefault(row[code], row[description])
        if before != row[description]:
            raise StudyError(
                f"{where}: code '{row[code]}' is '{row[description]}', and '{before}' above; a "
                "code has one description"
            )
    return described
