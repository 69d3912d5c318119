"""Embeddings that encounters teach: whose, and who may use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concept_transfer.embeddings.providers import PROVIDERS, SOURCE
from concept_transfer.errors import choices
from concept_transfer.settings.embeddings import taught_by
from concept_transfer.settings.encoders import CodeEncoder

if TYPE_CHECKING:
    from concept_transfer.study import Study


def check_embeddings(study: Study) -> None:
    """Raise ValueError where nobody can be learned from, or somebody reads a table that is
    another's."""
    for name, section in study.embeddings.items():
        site = PROVIDERS[section.provider].learns_from(section)
        if site is not None:
            _check_taught(study, name, site)
    for name, encoder in study.encoders.items():
        vectors = encoder.vectors if isinstance(encoder, CodeEncoder) else None
        if vectors is not None and study.has_table_each_site(vectors):
            raise ValueError(
                f"encoders.{name}.vectors is '{vectors}', which has a table each site; an encoder "
                "needs one for all: name a site in its 'of'"
            )


def _check_taught(study: Study, name: str, site: str) -> None:
    where, sites = f"embeddings.{name}", [*study.sites] if site == SOURCE else [site]
    if SOURCE in study.sites:
        raise ValueError(
            f"{where}.of: a site is called '{SOURCE}', which stands for every source here; give "
            "the site another name"
        )
    for one in sites:
        if one not in study.sites:
            raise ValueError(
                f"{where}.of is '{one}'; choose '{SOURCE}' or a site: {choices(study.sites)}"
            )
        if not study.has_encounters(one):
            raise ValueError(
                f"{where}.of: the site '{one}' is given as models without encounters, which teach "
                "no vectors; those that came with its models are 'provider: bundle'"
            )
        if one in study.parked_sites() and site != SOURCE:
            raise ValueError(f"{where}.of names the site '{one}', which no pair names")
    if study.split.by == "folds":
        raise ValueError(
            f"{where} learns from encounters that never test, but under split.by: folds all test, "
            "so that every fold would need a table of its own; use 'share' or 'time'"
        )
    least = study.evaluation.small_cells
    few = getattr(study.embeddings[name], "min_encounters", least)
    if few < least:
        raise ValueError(
            f"{where}.min_encounters is {few}, but counts below evaluation.small_cells ({least}) "
            f"must not show in vectors, which go with the models; give {least} or more"
        )


def check_untaught(study: Study, where: str, embedding: str) -> None:
    """Raise ValueError where patients of the study teach an embedding."""
    if taught_by(embedding, study.embeddings):
        raise ValueError(
            f"{where} names the embedding '{embedding}', which encounters of the study teach, so "
            "that it would be judged on those that it knows; the method cooccurrence learns such "
            "vectors of the learning part alone"
        )
