"""The adapter `simulated`: encounters sampled from a small Bayesian network of a county."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from concept_transfer.settings.sites import SiteSection
from concept_transfer.sites.adapters import Adapter
from concept_transfer.sites.amounts import Amount
from concept_transfer.yaml_files import read_yaml

PIECES_WRITTEN_OUT = 150.0  # of words, of an encounter's findings in the demo


class NetworkSite(SiteSection):
    """Encounters sampled from a network."""

    network: str = Field(description="YAML file of the network (see resources/networks).")
    encounters: int = Field(default=6000, ge=1, description="How many encounters to sample.")
    seed: int = Field(default=1, ge=0, description="Seed of the sample.")


class SimulatedSite(NetworkSite):
    """Encounters sampled from a small Bayesian network."""

    adapter: Literal["simulated"]


def network_files(site: NetworkSite, root: Path) -> list[str]:
    return files_of_network(site.network, root)


def files_of_network(network: str, root: Path) -> list[str]:
    """A network's file, and that of what it is a variant of."""
    base = read_yaml(root / network)["base"]
    return [network, str(Path(network).parent / base)]


def described_network(site: NetworkSite) -> str:
    return (
        f"{site.encounters:,} encounters simulated from the Bayesian network {site.network} "
        f"(seed {site.seed})"
    )


def _amount(site: SimulatedSite, root: Path) -> Amount:
    return Amount(PIECES_WRITTEN_OUT * site.encounters, site.encounters)


SIMULATED = Adapter(
    settings=SimulatedSite,
    check="concept_transfer.sites.simulated:check_simulated",
    read="concept_transfer.sites.simulated:read_simulated",
    posterior="concept_transfer.sites.simulated:site_posterior",
    files=network_files,
    paths=("network",),
    described=described_network,
    amount=_amount,
    limitation="Encounters were simulated. Differences between methods show what can happen, not "
    "what will happen with real patients.",
)
