"""Files that a config names, where the workflow lies in another folder than the study."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.paths import resolve
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.study import Study


def located(path: str, root: Path, home: Path, prefixed: bool = False) -> str:
    """A path of the config as the rules use it.

    It is relative to the working folder ``root``; what only ``home`` has, the workflow's own
    folder, is a file that the workflow brings along. Where Snakemake will put a module's prefix
    before relative paths (``prefixed``), the path becomes absolute.
    """
    if not resolve(path, root).exists() and resolve(path, home).exists():
        return str(home / path)
    return str(resolve(path, root)) if prefixed else path


def with_files(study: Study, root: Path, home: Path, prefixed: bool = False) -> Study:
    """The study with all its paths `located`."""
    config = study.model_dump(mode="json")

    def locate(path: str) -> str:
        return located(path, root, home, prefixed)

    _replace(config, ("vocabulary",), locate)
    for site in config["sites"].values():
        _replace(site, ADAPTERS[site["adapter"]].paths, locate)
    for embedding in config["embeddings"].values():
        _replace(embedding, PROVIDERS[embedding["provider"]].paths, locate)
    if config["interconnections"]:
        _replace(config["interconnections"]["codes"], ("ontology",), locate)
    return Study.model_validate(config)


def _replace(section: dict[str, Any], keys: Iterable[str], locate: Callable[[str], str]) -> None:
    """Locate the files under keys, which have dots where they lie deeper."""
    for key in keys:
        outer, _, inner = key.partition(".")
        if inner:
            _replace(section[outer] or {}, [inner], locate)
            continue
        value = section.get(key)
        if isinstance(value, str):
            section[key] = locate(value)
        elif isinstance(value, list):
            section[key] = [locate(path) for path in value]
