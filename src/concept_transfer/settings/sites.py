"""Sites as the config states them: a section of an adapter each."""

from __future__ import annotations

from typing import Annotated

from concept_transfer.registry import OneOf
from concept_transfer.settings.section import Section
from concept_transfer.sites.adapters import ADAPTERS


class SiteSection(Section):
    """What the section of every adapter has."""

    adapter: str


Site = Annotated[SiteSection, OneOf(ADAPTERS, "adapter")]
