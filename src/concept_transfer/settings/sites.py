"""Sites as the config states them: a section of an adapter each."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from concept_transfer.registry import OneOf
from concept_transfer.settings.section import Section
from concept_transfer.sites.adapters import ADAPTERS


class SiteSection(Section):
    """What the section of every adapter has."""

    adapter: str

    @property
    def look_back_days(self) -> float | None:
        """How many days before the index time what is recorded reaches back; None: all."""
        return None


class CodedSite(SiteSection):
    """What the section of an adapter has whose site records codes."""

    crosswalk: str | None = Field(
        default=None,
        description="TSV with columns site_code, concept and, where needed, state, relation, note: "
        "the concepts that codes stand for (docs/crosswalks.md).",
    )
    code_descriptions: str | None = Field(
        default=None,
        description="TSV with columns code, description, or a vocabulary whose concepts are the "
        "codes: what codes mean, for propose_crosswalk.",
    )


# Keys that no adapter reads.
UNREAD = {"code_descriptions"}


def from_short(value: Any) -> Any:
    """`{<adapter>: value}`, of an adapter with a short form, as its section."""
    if not isinstance(value, dict) or "adapter" in value:
        return value
    for name in value:
        if name in ADAPTERS and (key := ADAPTERS[name].short):
            rest = {other: entry for other, entry in value.items() if other != name}
            return {"adapter": name, key: value[name], **rest}
    return value


Site = Annotated[SiteSection, OneOf(ADAPTERS, "adapter"), BeforeValidator(from_short)]
