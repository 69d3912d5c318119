"""The adapter `simulated`: encounters sampled from a small Bayesian network of a county."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from concept_transfer.settings.sites import SiteSection
from concept_transfer.sites.adapters import Adapter


class SimulatedSite(SiteSection):
    """Encounters sampled from a small Bayesian network."""

    adapter: Literal["simulated"]
    network: str = Field(description="YAML file of the network (see resources/networks).")
    encounters: int = Field(default=6000, ge=1, description="How many encounters to sample.")
    seed: int = Field(default=1, ge=0, description="Seed of the sample.")


def _files(site: SimulatedSite, root: Path) -> list[str]:
    base = yaml.safe_load((root / site.network).read_text(encoding="utf-8"))["base"]
    return [site.network, str(Path(site.network).parent / base)]


def _described(site: SimulatedSite) -> str:
    return (
        f"{site.encounters:,} encounters simulated from the Bayesian network {site.network} "
        f"(seed {site.seed})"
    )


SIMULATED = Adapter(
    settings=SimulatedSite,
    check="concept_transfer.sites.simulated:check_simulated",
    read="concept_transfer.sites.simulated:read_simulated",
    posterior="concept_transfer.sites.simulated:site_posterior",
    files=_files,
    paths=("network",),
    described=_described,
    limitation="Encounters were simulated. Differences between methods show what can happen, not "
    "what will happen with real patients.",
)
