"""Sites, their pairs, and how their numbers become states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concept_transfer.cell import ALL_SITES
from concept_transfer.errors import choices
from concept_transfer.sites.adapters import ADAPTERS

if TYPE_CHECKING:
    from concept_transfer.study import Study


def check_sites(study: Study) -> None:
    """Raise ValueError where pairs name no sites, or sites cannot be what they are to be."""
    if ALL_SITES in study.sites:
        raise ValueError(
            f"sites: '{ALL_SITES}' is reserved: it stands for all sources of a target together"
        )
    if study.pairs != "all":
        for source, target in study.pairs:
            for site in (source, target):
                if site not in study.sites:
                    raise ValueError(
                        f"pairs names the site '{site}'; defined are {choices(study.sites)}"
                    )
            if source == target:
                raise ValueError(f"pairs: source and target are both '{source}'")
            if not study.has_encounters(target):
                raise ValueError(
                    f"pairs: the target '{target}' is given as models without encounters; it "
                    "can only be a source"
                )
    elif len(study.sites) < 2:
        raise ValueError("a study needs at least two sites (a source and a target)")
    elif not study.ordered_pairs():
        raise ValueError(
            "sites: all are given as models without encounters; a target needs encounters"
        )
    if not study.vocabulary and all(map(study.has_encounters, study.sites)):
        raise ValueError("vocabulary: is required (no site is a bundle that brings one)")


def check_bins(study: Study) -> None:
    """Raise ValueError for quantiles of numbers that there are not."""
    tabular = [name for name, site in study.sites.items() if ADAPTERS[site.adapter].numbers]
    for concept, entry in study.bins.items():
        if entry.quantiles and entry.quantiles.of not in tabular:
            raise ValueError(
                f"bins.{concept}: quantiles.of names the site '{entry.quantiles.of}'; tabular "
                f"sites are {choices(tabular) or 'none'}"
            )
        if entry.quantiles and study.split.shared_identifiers:
            raise ValueError(
                f"bins.{concept}: quantiles are those of a site's own training encounters, "
                "which split.shared_identifiers divides with other sites'; give 'edges'"
            )
