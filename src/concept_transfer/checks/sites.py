"""Sites, their pairs, and how their numbers become states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concept_transfer.cell import ALL_SITES
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
from concept_transfer.errors import choices
from concept_transfer.settings.embeddings import encoder_of
from concept_transfer.settings.extraction import NotedSite
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


def check_notes(study: Study) -> None:
    """Raise ValueError for a site whose notes name a site or an embedding that cannot serve."""
    for name, site in study.sites.items():
        if not isinstance(site, NotedSite):
            continue
        if site.gold is not None:
            _check_gold(study, name, site.gold)
        chosen = site.extraction.embedding
        if isinstance(chosen, str):
            _check_embedding_of_notes(study, name, chosen)


def _check_gold(study: Study, name: str, gold: str) -> None:
    """The site that has the same encounters as the site `name`."""
    if gold == name or gold not in study.sites:
        others = choices(other for other in study.sites if other != name)
        raise ValueError(
            f"sites.{name}: gold names '{gold}'; it is another site of the study: {others}"
        )
    if gold not in {site for pair in study.ordered_pairs() for site in pair}:
        raise ValueError(
            f"sites.{name}: gold names '{gold}', which stands in no pair of 'pairs', so that "
            "nothing is learned there to compare with"
        )


def _check_embedding_of_notes(study: Study, name: str, chosen: str) -> None:
    """The embedding that compares mentions at the site `name`."""
    if chosen not in study.embeddings:
        raise ValueError(
            f"sites.{name}: extraction.embedding names '{chosen}'; the study's embeddings are "
            f"{choices(study.embeddings)}"
        )
    embedding = study.embeddings[chosen]
    if not isinstance(embedding, TransformersEmbedding):
        raise ValueError(
            f"sites.{name}: extraction.embedding is of provider '{embedding.provider}', which "
            "cannot embed mentions: they are patients' words, and never leave this machine; take "
            "one of provider transformers"
        )
    if encoder_of(embedding) is not None:
        raise ValueError(
            f"sites.{name}: extraction.embedding is learned from the sites' documents, and the "
            "site's findings are read before anything is learned; take another embedding"
        )


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
