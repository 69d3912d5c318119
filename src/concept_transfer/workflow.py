"""What the Snakemake files need of the library: checks before any job, file lists."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.embeddings import Embedding
from concept_transfer.settings.sites import NhamcsSite, SimulatedSite, Site, TabularSite
from concept_transfer.study import Study, resolve

PACKAGE = Path(__file__).parent


def code_digest(*parts: str) -> str:
    """SHA-256 of library modules and packages (paths below the package), templates included.

    As a rule's parameter it makes jobs run again after an edit that Snakemake cannot see.
    """
    digest = hashlib.sha256()
    for part in parts:
        path = PACKAGE / part
        files = path.rglob("*.*") if path.is_dir() else [path]
        for file in sorted(f for f in files if "__pycache__" not in f.parts):
            digest.update(file.relative_to(PACKAGE).as_posix().encode() + b"\0")
            digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def check_study(study: Study, root: Path) -> None:
    """Cheap checks of names, file headers and model folders; no row of data is read.

    Raises StudyError for the first problem found.
    """
    from concept_transfer.embeddings.providers import check_embedding
    from concept_transfer.sites.adapters import check_site
    from concept_transfer.sites.tokens import allowed_tokens

    vocabulary = Vocabulary.read(resolve(study.vocabulary, root))
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
    for name, embedding in study.embeddings.items():
        with named(f"embeddings.{name}"):
            check_embedding(name, embedding, vocabulary, root, allowed)


@contextlib.contextmanager
def named(part: str) -> Iterator[None]:
    """Prefix a StudyError with the part of the config it is about, unless it says so itself."""
    try:
        yield
    except StudyError as error:
        message = str(error)
        raise StudyError(message if message.startswith(part) else f"{part}: {message}") from None


def site_inputs(site: Site, root: Path) -> list[str]:
    """The raw files a site is made from; files to be downloaded by their future names."""
    if isinstance(site, SimulatedSite):
        base = yaml.safe_load(resolve(site.network, root).read_text(encoding="utf-8"))["base"]
        return [site.network, str(Path(site.network).parent / base)]
    if isinstance(site, TabularSite):
        files = [site.path] if site.path else [*site.train, *site.validation, *site.test]
        return [*files, *([site.crosswalk] if site.crosswalk else [])]
    return [_year_file(site, year, root) for year in site.years]


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


def embedding_inputs(embedding: Embedding, root: Path) -> list[str]:
    """Local files an embedding is made from (none for packages and hub models)."""
    names = [getattr(embedding, key, None) for key in ("path", "crosswalk")]
    wording = getattr(embedding, "wording", None)
    names += [getattr(wording, key, None) for key in ("synonyms", "definitions")]
    return [name for name in names if name]
