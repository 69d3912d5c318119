"""Sites as the config states them: a section of an adapter each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from concept_transfer.registry import OneOf
from concept_transfer.settings.section import Section
from concept_transfer.sites.adapters import ADAPTERS


class SiteSection(Section):
    """What the section of every adapter has."""

    adapter: str


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

Site = Annotated[SiteSection, OneOf(ADAPTERS, "adapter")]
