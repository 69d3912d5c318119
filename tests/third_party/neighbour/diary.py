"""The adapter `diary`: a text file, one line an encounter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from concept_transfer.settings.sites import SiteSection
from concept_transfer.sites.adapters import Adapter


class DiarySite(SiteSection):
    """A diary: patient, class and concepts, separated by blanks."""

    adapter: Literal["diary"]
    book: str = Field(description="The file.")


def _files(site: DiarySite, root: Path) -> list[str]:
    return [site.book]


DIARY = Adapter(
    settings=DiarySite,
    check="neighbour.diary_reader:check",
    read="neighbour.diary_reader:read",
    files=_files,
    paths=("book",),
    described=lambda site: f"a diary, {site.book}",
    limitation="Diaries are written by whoever has time.",
)
