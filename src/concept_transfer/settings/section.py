"""What all sections of a study's config have in common."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.]*"


def _check_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(
            f"'{name}' cannot name a folder; use letters, digits, '_' and '.', "
            "starting with a letter or digit"
        )
    if name == "none":
        raise ValueError("'none' is reserved: it stands for 'no embedding'")
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
