"""What the Snakemake files need of the library: checks before any job, file lists."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import combinations
from operator import attrgetter
from pathlib import Path
from typing import Any

from concept_transfer.concepts.bins import planned_edges, with_bins
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.providers import PROVIDERS, check_embedding
from concept_transfer.errors import StudyError, choices, named
from concept_transfer.grid import Grid
from concept_transfer.paths import resolve
from concept_transfer.registry import imported
from concept_transfer.settings.embeddings import EmbeddingSection, encoder_of, parents_of
from concept_transfer.settings.encoders import CodeEncoder
from concept_transfer.settings.extraction import NotedSite
from concept_transfer.settings.filling import TO_FILL, unfilled
from concept_transfer.settings.sites import SiteSection
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.sites.reading import check_site
from concept_transfer.study import Study


def check_study(study: Study, root: Path) -> None:
    """Cheap checks of names, file headers and model folders; no row of data is read.

    Raises StudyError for the first problem found.
    """
    from concept_transfer.sites.binning import check_bins
    from concept_transfer.sites.tokens import allowed_tokens

    places = unfilled(study.model_dump(mode="json", include={"sites"})["sites"], "sites")
    if places:
        raise StudyError(
            f"the config still says {TO_FILL} where only you know what belongs there: "
            f"{', '.join(places)}; comments beside these keys say what they take"
        )
    vocabulary = planned_vocabulary(study, root)
    allowed = allowed_tokens(vocabulary, study.task)
    if not allowed.any():
        raise StudyError(
            "task.exclude_categories and task.exclude_concepts leave no concept for a model to "
            f"see: they name everything that the vocabulary {study.vocabulary} has"
        )
    _check_histories(study)
    parked = study.parked_sites()
    for name, site in study.sites.items():
        if name in parked:
            continue
        with named(f"sites.{name}"):
            check_site(site, vocabulary, study.task, root)
    check_bins(study, vocabulary, root)
    known = _without_quantiles(study, root)
    allowed = allowed[[vocabulary.index[token] for token in known.index]]
    for name, embedding in study.embeddings.items():
        with named(f"embeddings.{name}"):
            check_embedding(name, embedding, known, root, allowed)
    _check_bases(study, root)


def _check_bases(study: Study, root: Path) -> None:
    """Raise StudyError for a base of a language model that is not there."""
    for name in study.encoders_of("text"):
        if source := _with_base(name, study):
            from concept_transfer.embeddings.model_files import check

            check(f"encoders.{name}", source, root)


def _check_histories(study: Study) -> None:
    """Raise StudyError for a site whose adapter has no histories, where the study reads them."""
    able = [name for name, adapter in ADAPTERS.items() if adapter.histories]
    for name in Grid(study).histories:
        adapter = study.sites[name].adapter
        if adapter not in able:
            raise StudyError(
                f"sites.{name}: the study reads patients' histories (by a classifier, or to "
                f"find interconnections), and the adapter '{adapter}' knows no events in their "
                f"order; {choices(able)} do"
            )


def left_out(study: Study) -> list[str]:
    """A sentence for each site without encounters, and for each encoder that comes with models,
    whose strategies are not all run."""
    needing = [name for name in study.strategies if study.strategy(name).reads_source]
    sources = dict.fromkeys(source for source, _ in study.ordered_pairs())
    own = [
        name
        for name in study.strategies
        if not (study.strategy(name).has_source or study.strategy(name).combine)
    ]
    return [
        f"sites.{source} hands on models without encounters: {choices(needing)} needs a source's "
        "encounters, and is left out for it."
        for source in sources
        if needing and not study.has_encounters(source)
    ] + [
        f"encoders.{name} comes tuned, with the models of {choices(encoder.sites)}: {choices(own)} "
        "would need it as it was before any label, and is left out for it."
        for name, encoder in study.encoders.items()
        if own and study.is_received(name)
    ]


def with_offers(study: Study, root: Path) -> Study:
    """The study with what its sites without encounters have for it: which of its models, and the
    vocabulary where the config names none. Raises StudyError."""
    sites, vocabulary = dict(study.sites), study.vocabulary
    for name, site in study.sites.items():
        if not study.has_encounters(name):
            with named(f"sites.{name}"):
                offer = imported(ADAPTERS[site.adapter].offer)(site, study, root)
            sites[name] = site.model_copy(update={"models": list(offer.models)})
            vocabulary = vocabulary or offer.vocabulary
    return study.model_copy(update={"sites": sites, "vocabulary": vocabulary})


def with_embeddings_of_notes(study: Study) -> Study:
    """The study with the embeddings that its sites' notes name in the place of their names."""
    sites = dict(study.sites)
    for name, site in study.sites.items():
        if isinstance(site, NotedSite) and isinstance(site.extraction.embedding, str):
            section = study.embeddings[site.extraction.embedding]
            extraction = site.extraction.model_copy(update={"embedding": section})
            sites[name] = site.model_copy(update={"extraction": extraction})
    return study.model_copy(update={"sites": sites})


def taught_by_documents(study: Study) -> list[str]:
    """Embeddings, and encoders that start from them, whose vectors are of a language model that has
    learned from documents, or are made from such vectors."""

    def taught(name: str) -> bool:
        section = study.embeddings[name]
        encoder = encoder_of(section)
        if encoder is not None and study.encoders[encoder].learns:
            return True
        return any(map(taught, parents_of(section)))

    starts = {
        name: encoder.vectors
        for name, encoder in study.encoders.items()
        if isinstance(encoder, CodeEncoder) and encoder.vectors is not None
    }
    own = {name: name for name in study.embeddings}
    return [name for name, vectors in {**own, **starts}.items() if taught(vectors)]


def planned_vocabulary(study: Study, root: Path) -> Vocabulary:
    """The study's vocabulary as it is known before any job.

    Bins that follow quantiles have preliminary edges; all else is final.
    """
    vocabulary = Vocabulary.read(resolve(study.vocabulary, root))
    return (
        with_bins(vocabulary, study.bins, planned_edges(study.bins)) if study.bins else vocabulary
    )


def _without_quantiles(study: Study, root: Path) -> Vocabulary:
    """The tokens that are final before any job."""
    bins = {concept: entry for concept, entry in study.bins.items() if not entry.quantiles}
    vocabulary = Vocabulary.read(resolve(study.vocabulary, root))
    return with_bins(vocabulary, bins, planned_edges(bins)) if bins else vocabulary


def check_writable(logs: Path) -> None:
    """Refuse a folder of logs that this user cannot write, which Snakemake finds out too late.

    Looked at are the folder, those of the rules in it and, where it does not exist, the nearest
    folder above it.
    """
    there = next(path for path in (logs, *logs.absolute().parents) if path.exists())
    for path in (there, *logs.glob("*/")):
        if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
            raise StudyError(
                f"{path} is no folder that you can write; jobs write their logs to {logs}. Change "
                "its owner or its rights, or work in a folder of your own"
            )


def site_inputs(site: SiteSection, root: Path) -> list[str]:
    """The raw files a site is made from; files to be downloaded by their future names."""
    return ADAPTERS[site.adapter].files(site, root)


def table_files(site: SiteSection) -> list[str]:
    """The files of which all rows are the site's encounters (none where an adapter selects)."""
    return ADAPTERS[site.adapter].table_files(site)


def parts_of_one_source(study: Study, sites: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of sites that one folder or database holds; none where the split knows of it."""
    if study.split.shared_identifiers:
        return []

    def source(name: str) -> tuple[Any, ...]:
        section = study.sites[name].model_dump(mode="json")
        return section["adapter"], section.get("path"), section.get("database")

    known = {name: source(name) for name in sites if any(source(name)[1:])}
    return [(one, other) for one, other in combinations(known, 2) if known[one] == known[other]]


def downloads(study: Study, root: Path) -> dict[str, dict[str, Any]]:
    """File that a site needs, lacks and can fetch -> settings of the site.

    Files that are there are nobody's output, so that no run replaces them.
    """
    files = {
        path: site.model_dump(mode="json")
        for site in study.sites.values()
        if ADAPTERS[site.adapter].fetch
        for path in site_inputs(site, root)
    }
    return {path: site for path, site in files.items() if not resolve(path, root).is_file()}


def embedding_inputs(name: str, embedding: EmbeddingSection, root: Path) -> list[str]:
    """Local files the embedding `name` is made from (none for packages and hub models)."""
    provider = PROVIDERS[embedding.provider]
    files = [file for key in provider.paths if (file := attrgetter(key)(embedding))]
    if provider.files:
        further = imported(provider.files)(name, embedding, root)
        files += [str(p.relative_to(root) if p.is_relative_to(root) else p) for p in further]
    return files


def base_files(name: str, study: Study, root: Path) -> list[str]:
    """Local files that a language model of the study starts from (none for packages and hub)."""
    from concept_transfer.embeddings.model_files import folder_files

    source = _with_base(name, study)
    files = folder_files(f"encoders.{name}", source, root) if source else []
    return [str(p.relative_to(root) if p.is_relative_to(root) else p) for p in files]


def base_content(name: str, study: Study, root: Path) -> str | None:
    """Digest of what a language model of the study starts from, as `model_content`."""
    from concept_transfer.embeddings.model_files import local_content

    source = _with_base(name, study)
    return local_content(f"encoders.{name}", source, root) if source else None


def _with_base(name: str, study: Study) -> TextEncoder | None:
    encoder = study.encoders[name]
    return encoder if isinstance(encoder, TextEncoder) and encoder.base else None


def model_content(name: str, embedding: EmbeddingSection, root: Path) -> str | None:
    """Digest of what an embedding is made from and is no file that the workflow watches.

    As a parameter of the job it tells of a package installed anew, and of files put into a folder
    with their old dates. None for hub models and most providers.
    """
    content = PROVIDERS[embedding.provider].content
    return imported(content)(name, embedding, root) if content else None
