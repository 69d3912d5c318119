"""What the Snakemake files need of the library: checks before any job, file lists."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from concept_transfer.concepts.bins import planned_edges, with_bins
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, named
from concept_transfer.paths import resolve
from concept_transfer.settings.embeddings import Embedding, TransformersEmbedding
from concept_transfer.settings.sites import NhamcsSite, SimulatedSite, Site, TabularSite
from concept_transfer.study import Study


def check_study(study: Study, root: Path) -> None:
    """Cheap checks of names, file headers and model folders; no row of data is read.

    Raises StudyError for the first problem found.
    """
    from concept_transfer.embeddings.providers import check_embedding
    from concept_transfer.sites.adapters import check_site
    from concept_transfer.sites.layout import check_bins
    from concept_transfer.sites.tokens import allowed_tokens

    vocabulary = planned_vocabulary(study, root)
    allowed = allowed_tokens(vocabulary, study.task)
    if not allowed.any():
        raise StudyError(
            "task.exclude_categories and task.exclude_concepts leave no concept for a model to "
            f"see: they name everything that the vocabulary {study.vocabulary} has"
        )
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


def site_inputs(site: Site, root: Path) -> list[str]:
    """The raw files a site is made from; files to be downloaded by their future names."""
    if isinstance(site, SimulatedSite):
        base = yaml.safe_load(resolve(site.network, root).read_text(encoding="utf-8"))["base"]
        return [site.network, str(Path(site.network).parent / base)]
    if isinstance(site, TabularSite):
        return [*table_files(site), *([site.crosswalk] if site.crosswalk else [])]
    return [_year_file(site, year, root) for year in site.years]


def table_files(site: Site) -> list[str]:
    """The files of which all rows are the site's encounters (none where an adapter selects)."""
    if not isinstance(site, TabularSite):
        return []
    return [site.path] if site.path else [*site.train, *site.validation, *site.test]


def nhamcs_downloads(study: Study, root: Path) -> dict[str, dict[str, Any]]:
    """File that an NHAMCS site needs and its folder lacks -> settings of the site.

    Files that are there are nobody's output, so that no run replaces them.
    """
    files = {
        _year_file(site, year, root): site.model_dump(mode="json")
        for site in study.sites.values()
        if isinstance(site, NhamcsSite)
        for year in site.years
    }
    return {path: site for path, site in files.items() if not resolve(path, root).is_file()}


def _year_file(site: NhamcsSite, year: int, root: Path) -> str:
    from concept_transfer.sites.nhamcs import year_file

    return f"{site.path}/{year_file(resolve(site.path, root), year).name}"


def embedding_inputs(name: str, embedding: Embedding, root: Path) -> list[str]:
    """Local files the embedding `name` is made from (none for packages and hub models)."""
    names = [getattr(embedding, key, None) for key in ("path", "crosswalk")]
    wording = getattr(embedding, "wording", None)
    names += [getattr(wording, key, None) for key in ("synonyms", "definitions")]
    files = [file for file in names if file]
    if isinstance(embedding, TransformersEmbedding):
        from concept_transfer.embeddings.model_files import folder_files

        model = folder_files(name, embedding, root)
        files += [str(p.relative_to(root) if p.is_relative_to(root) else p) for p in model]
    return files


def model_content(name: str, embedding: Embedding, root: Path) -> str | None:
    """Digest of a package's or folder's model; None for hub models and all other embeddings.

    As a parameter of the job it tells of a package installed anew, and of files put into a folder
    with their old dates.
    """
    if not isinstance(embedding, TransformersEmbedding):
        return None
    from concept_transfer.embeddings.model_files import local_content

    return local_content(name, embedding, root)
