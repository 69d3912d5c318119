"""What notes are simulated from: how a hospital writes, and the words for findings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from concept_transfer.concepts.tsv import read_rows
from concept_transfer.errors import StudyError, choices
from concept_transfer.extraction.mentions import FAMILY, HYPOTHETICAL, PAST, PRESENT, UNCERTAIN
from concept_transfer.yaml_files import read_model

REGISTERS = ("formal", "plain", "short")
GROUPS = ("person", "symptom", "sign")
ASIDES = (UNCERTAIN, HYPOTHETICAL, FAMILY, PAST)
COLUMNS = ("concept", "group", "register", "phrase")

Share = Annotated[float, Field(ge=0, le=1)]
Template = Annotated[str, Field(pattern=r"^[^{}]*\{([Oo]ne|[Aa]nd|[Oo]r)\}[^{}]*$")]
Templates = Annotated[list[Template], Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Said(_Strict):
    """How a finding that is there is written, and one that is not."""

    present: Templates
    absent: Templates


class Sentences(_Strict):
    """Templates by what they say."""

    person: Templates
    symptom: Said
    sign: Said
    uncertain: Templates
    hypothetical: Templates
    family: Templates
    past: Templates
    filler: Annotated[list[str], Field(min_length=1)]


class Part(_Strict):
    """A section of a note: its heading, and the kinds of sentence that it holds."""

    heading: str
    holds: list[Literal["person", "symptom", "sign", "uncertain", "hypothetical", "family", "past"]]


class NoteType(_Strict):
    """A kind of note."""

    share: Share
    sections: Annotated[list[Part], Field(min_length=1)]


class Style(_Strict):
    """How a hospital writes (the keys are explained in resources/notes/north.yaml)."""

    registers: dict[Literal["formal", "plain", "short"], Share]
    misspelled: Share
    lists: Annotated[list[Share], Field(min_length=1)]
    asides: dict[
        Literal["uncertain", "hypothetical", "family", "past"], Annotated[float, Field(ge=0)]
    ]
    filler: Annotated[float, Field(ge=0)]
    types: Annotated[dict[str, NoteType], Field(min_length=1)]
    sentences: Sentences

    @field_validator("registers", "lists")
    @classmethod
    def _shares(cls, shares: dict[str, float] | list[float]) -> dict[str, float] | list[float]:
        total = sum(shares.values() if isinstance(shares, dict) else shares)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"sum to {total:g}; the shares must sum to 1")
        return shares


@dataclass(frozen=True)
class Phrases:
    """words: (concept, state) -> register -> phrases; groups: concept -> what kind of finding it
    is, one of `GROUPS`."""

    words: Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]]
    groups: Mapping[str, str]


def read_style(path: Path) -> Style:
    """Read and check the file of a hospital's style. Raises StudyError naming file and key."""
    return read_model(path, Style, "style", "resources/notes")


def read_phrases(path: Path) -> Phrases:
    """Read and check a table of phrases (concept, group, state, register, phrase).

    An empty state is `present`. Raises StudyError naming file and line.
    """
    words: dict[tuple[str, str], dict[str, list[str]]] = {}
    groups: dict[str, str] = {}
    for where, row in read_rows("phrases", path, COLUMNS, ("state",)):
        for column, accepted in (("group", GROUPS), ("register", REGISTERS)):
            if row[column] not in accepted:
                raise StudyError(
                    f"{where}: column '{column}' is '{row[column]}'; it is one of "
                    f"{', '.join(accepted)}"
                )
        if not re.search(r"\w", row["phrase"]):
            raise StudyError(f"{where}: column 'phrase' holds no word")
        if groups.setdefault(row["concept"], row["group"]) != row["group"]:
            raise StudyError(
                f"{where}: concept {row['concept']} is a {row['group']} here and a "
                f"{groups[row['concept']]} above; a concept is of one group"
            )
        of_token = words.setdefault((row["concept"], row["state"] or PRESENT), {})
        of_token.setdefault(row["register"], []).append(row["phrase"])
    for (concept, state), of_token in words.items():
        if len(of_token) < len(REGISTERS):
            raise StudyError(
                f"phrases {path}: concept {concept}, state {state}, has no phrase of the register "
                f"{choices(set(REGISTERS) - set(of_token))}; it needs one of each"
            )
    fixed = {
        token: {register: tuple(its) for register, its in of_token.items()}
        for token, of_token in words.items()
    }
    return Phrases(fixed, groups)
