"""How numbers become states of a concept, as the config states it."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, model_validator

from concept_transfer.settings.section import Name, Section

Edge = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Quantiles(Section):
    """Edges that put about as many training encounters of one site into every bin."""

    of: Name = Field(description="The tabular site; its edges serve all sites.")
    bins: int = Field(ge=2, description="How many bins; fewer where values are tied.")


class Bins(Section):
    """The bins of one concept, whose column holds numbers; a list alone is its edges."""

    edges: Annotated[list[Edge], Field(min_length=1)] | None = Field(
        default=None,
        description="Ascending numbers; each begins a bin, and one more lies below the first.",
    )
    quantiles: Quantiles | None = Field(
        default=None, description="Edges from the data of one site, instead of 'edges'."
    )
    name: str | None = Field(
        default=None, description="The concept in words (else the vocabulary's name, or the id)."
    )
    unit: str = Field(default="", description="Unit of the numbers, part of each bin's text.")
    category: str | None = Field(
        default=None, description="Category (else the vocabulary's, or measurement)."
    )

    @model_validator(mode="after")
    def _one_source_of_edges(self) -> Bins:
        if (self.edges is None) == (self.quantiles is None):
            raise ValueError("give either 'edges' or 'quantiles'")
        if any(first >= second for first, second in pairwise(self.edges or [])):
            raise ValueError("edges must ascend, each once")
        return self


def from_edges(bins: Any) -> Any:
    """Read a list in place of a concept's section as its edges."""
    if not isinstance(bins, dict):
        return bins
    return {c: {"edges": entry} if isinstance(entry, list) else entry for c, entry in bins.items()}
