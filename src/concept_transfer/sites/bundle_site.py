"""The adapter `bundle`: models of a hospital elsewhere, without its encounters."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from concept_transfer.settings.section import Distinct
from concept_transfer.settings.sites import SiteSection
from concept_transfer.sites.adapters import Adapter


class BundleSite(SiteSection):
    """Models that another hospital exported: a source without encounters, never a target.

    `<name>: {bundle: PATH}` is short for `<name>: {adapter: bundle, path: PATH}`.
    """

    adapter: Literal["bundle"]
    path: str = Field(description="Folder of a bundle, or of several, in folders below it.")
    models: Distinct[tuple[str, str]] | None = Field(
        default=None,
        description="[embedding, classifier] of the study whose models are taken; null: all that "
        "are there.",
    )


def _files(site: BundleSite, root: Path) -> list[str]:
    folder = root / site.path
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [(Path(site.path) / file.relative_to(folder)).as_posix() for file in files]


def _described(site: BundleSite) -> str:
    return f"models as they came in {site.path}, without encounters"


BUNDLE = Adapter(
    settings=BundleSite,
    read="",
    check="concept_transfer.sites.bundles:check_bundles",
    offer="concept_transfer.sites.bundles:offer",
    files=_files,
    paths=("path",),
    short="path",
    described=_described,
    limitation="A site that is given as a bundle has models here and no encounters: what trains on "
    "a source's encounters was left out for it, and how it differs from the targets was not "
    "measured. Of its data, the bundle's card tells all there is.",
)
