"""What all sections of a study's config have in common."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.]*"
LONGEST_NAME = 100  # two of them and more make the name of a file, which has 255 bytes at most


def _check_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(
            f"'{name}' cannot name a folder; use letters, digits, '_' and '.', "
            "starting with a letter or digit"
        )
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"a name of {len(name)} characters is too long for a folder; use {LONGEST_NAME} at most"
        )
    if name == "none":
        raise ValueError("'none' is reserved: it stands for 'no embedding'")
    return name


Name = Annotated[str, AfterValidator(_check_name)]
Entry = TypeVar("Entry")


def _check_distinct(entries: list[Entry]) -> list[Entry]:
    for position, entry in enumerate(entries):
        if entry in entries[:position]:
            shown = list(entry) if isinstance(entry, tuple) else entry
            raise ValueError(f"{shown!r} is there twice; name it once")
    return entries


Distinct = Annotated[
    list[Entry], AfterValidator(_check_distinct), Field(json_schema_extra={"uniqueItems": True})
]

Sizes = Distinct[Annotated[int, Field(ge=2)] | Literal["all"]]  # labelled target encounters


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
