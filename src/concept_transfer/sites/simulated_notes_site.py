"""The adapter `simulated_notes`: the encounters of `simulated`, known by their notes alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from concept_transfer.settings.extraction import (
    EXTRACTION_PATHS,
    PHRASES,
    NotedSite,
    extraction_files,
)
from concept_transfer.sites.adapters import Adapter
from concept_transfer.sites.amounts import Amount
from concept_transfer.sites.simulated_site import NetworkSite, described_network, network_files

PIECES_A_NOTE = 400.0  # of words, of those that templates write


class SimulatedNotesSite(NetworkSite, NotedSite):
    """The encounters that adapter `simulated` samples with the same network, number and seed, with
    notes that are written from what is recorded, and findings that are read from these.

    Age group and season are fields of the record.
    """

    adapter: Literal["simulated_notes"]
    style: str = Field(description="YAML file of how the hospital writes (see resources/notes).")
    phrases: str = Field(default=PHRASES, description="TSV of the words for each finding.")


def _files(site: SimulatedNotesSite, root: Path) -> list[str]:
    return [*network_files(site, root), site.style, site.phrases, *extraction_files(site)]


def _described(site: SimulatedNotesSite) -> str:
    return f"{described_network(site)}, with findings read from notes in the style {site.style}"


def _amount(site: SimulatedNotesSite, root: Path) -> Amount:
    return Amount(PIECES_A_NOTE * site.encounters, site.encounters)


SIMULATED_NOTES = Adapter(
    settings=SimulatedNotesSite,
    check="concept_transfer.sites.simulated_notes:check_simulated_notes",
    read="concept_transfer.sites.simulated_notes:read_simulated_notes",
    texts="concept_transfer.sites.simulated_notes:texts_of_simulated_notes",
    amount=_amount,
    files=_files,
    paths=("network", "style", "phrases", *EXTRACTION_PATHS),
    described=_described,
    limitation="Encounters and their notes were simulated. Notes were written by templates, which "
    "are easier to read than what people write: real notes cost more.",
)
