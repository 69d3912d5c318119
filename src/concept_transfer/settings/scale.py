"""The length of an embedding's rows, as the config states it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from concept_transfer.settings.section import Section


class Norm(Section):
    """Rows scaled to a stated length."""

    norm: float = Field(gt=0, description="Every row is scaled to this Euclidean norm.")


class Standardized(Section):
    """Columns standardized, then rows scaled to a stated length."""

    standardized: float = Field(
        gt=0, description="Columns to mean 0 and variance 1, then every row to this norm."
    )


def _form_of_scale(scale: Any) -> str:
    if isinstance(scale, dict | Section):
        return "standardized" if "standardized" in dict(scale) else "norm"
    return "word"


Scale = Annotated[
    Annotated[Literal["raw", "unit", "standardized"], Tag("word")]
    | Annotated[Norm, Tag("norm")]
    | Annotated[Standardized, Tag("standardized")],
    Discriminator(_form_of_scale),
]


SCALE = (
    "Length of the rows: as they are (raw), 1 (unit), columns standardized (standardized), "
    "or a stated norm."
)
