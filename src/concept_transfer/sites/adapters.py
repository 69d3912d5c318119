"""Adapters by name, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.sites import Site, Task
from concept_transfer.sites.coverage import coverage_of
from concept_transfer.sites.extract import Extract

ADAPTERS = ("simulated", "tabular", "nhamcs")


def read_site(site: Site, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Encounters, inputs and ingest report of a site, by the adapter its config names.

    Paths of the config are relative to `root`. Raises StudyError, also for a site that records
    no finding at all.
    """
    extract: Extract = _function(site, "read")(site, vocabulary, task, root)
    coverage = coverage_of(extract, vocabulary, task)
    if len(extract) and coverage.never == coverage.concepts:
        raise StudyError(
            "no encounter of this site records a finding that the task allows, so a model would "
            "have nothing to read; look at what counts as 'not recorded' (spelling), at the "
            "crosswalk, and at task.exclude_categories and task.exclude_concepts"
        )
    return extract


def check_site(site: Site, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check what can be known of a site without reading its rows (StudyError)."""
    _function(site, "check")(site, vocabulary, task, root)


def _function(site: Site, what: str) -> Any:
    module = import_module(f"concept_transfer.sites.{site.adapter}")
    return getattr(module, f"{what}_{site.adapter}")
