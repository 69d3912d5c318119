"""Adapters: what the house must know of a kind of raw data, and how a site is read by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concept_transfer.errors import StudyError
from concept_transfer.registry import Registry, imported

if TYPE_CHECKING:
    from concept_transfer.concepts.vocabulary import Vocabulary
    from concept_transfer.settings.sites import SiteSection, Task
    from concept_transfer.sites.extract import Extract


@dataclass(frozen=True)
class Adapter:
    """The record of an adapter. Functions get the site's section first; those given as text,
    ``module:function``, are imported where they run.

    settings: the section, with the adapter's name as ``adapter: Literal[...]``.
    read: (site, vocabulary, task, root) -> Extract; check: the same arguments, raises StudyError
    for what is wrong with paths and headers, and reads no row.
    files: (site, root) -> the raw files as the config writes them, those to be downloaded by their
    future names; paths: keys of the section that hold files or folders.
    described: (site) -> the site in words, for the methods; limitation: what a reader must not
    conclude.

    What only some can do: table_files: (site) -> the files of which all rows are the site's
    encounters; fetch: (site, file, root) downloads one of the files;
    columns: (site, vocabulary, root) -> the concepts that have a column, and
    numbers: (site, concept, vocabulary, root) -> that column as numbers, float64 [encounters], NaN
    for none, for bins; posterior: (site, findings, vocabulary, task, root) -> the true probability
    of each class, float64 [encounters, classes], for the ceiling.
    """

    settings: type[SiteSection]
    read: str
    check: str
    files: Callable[[Any, Path], list[str]]
    described: Callable[[Any], str]
    paths: tuple[str, ...] = ()
    limitation: str = ""
    table_files: Callable[[Any], list[str]] = lambda site: []
    fetch: str = ""
    columns: str = ""
    numbers: str = ""
    posterior: str = ""


ADAPTERS: Registry[Adapter] = Registry(
    "concept_transfer.adapters",
    {
        "simulated": "concept_transfer.sites.simulated_site:SIMULATED",
        "tabular": "concept_transfer.sites.tabular_site:TABULAR",
        "nhamcs": "concept_transfer.sites.nhamcs_site:NHAMCS",
    },
)


def read_site(site: SiteSection, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Encounters, inputs and ingest report of a site, by the adapter its config names.

    The report says beside the adapter's words how many encounters have each class (`classes`).
    Paths of the config are relative to `root`. Raises StudyError, also for a label that the task
    does not have, and for a site that records no finding at all.
    """
    from concept_transfer.cohorts.classes import check_classes, class_counts
    from concept_transfer.sites.coverage import coverage_of

    extract: Extract = imported(ADAPTERS[site.adapter].read)(site, vocabulary, task, root)
    labels = extract.encounters.labels
    check_classes(labels, task)
    extract = replace(extract, report={**extract.report, "classes": class_counts(labels, task)})
    coverage = coverage_of(extract, vocabulary, task)
    if len(extract) and coverage.never == coverage.concepts:
        raise StudyError(
            "no encounter of this site records a finding that the task allows, so a model would "
            "have nothing to read; look at what counts as 'not recorded' (spelling), at the "
            "crosswalk, and at task.exclude_categories and task.exclude_concepts"
        )
    return extract


def check_site(site: SiteSection, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check what can be known of a site without reading its rows (StudyError)."""
    imported(ADAPTERS[site.adapter].check)(site, vocabulary, task, root)
