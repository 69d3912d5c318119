"""A site is read and checked by the adapter that its section names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from concept_transfer.cohorts.classes import check_classes, class_counts
from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.inputs.text import Texts
from concept_transfer.registry import imported
from concept_transfer.settings.sites import SiteSection
from concept_transfer.settings.task import Task
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.sites.coverage import coverage_of
from concept_transfer.sites.documents import written_out
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.histories import Histories
from concept_transfer.sites.recorded_codes import RecordedCodes


def read_site(site: SiteSection, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Encounters, inputs and ingest report of a site, by the adapter its config names.

    The report says beside the adapter's words how many encounters have each class (`classes`).
    Paths of the config are relative to `root`. Raises StudyError, also for a label that the task
    does not have, and for a site that records no finding at all.
    """
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


def read_histories(site: SiteSection, encounters: Encounters, task: Task, root: Path) -> Histories:
    """Histories of the encounters that `read_site` made, and the whole records of all patients.
    Raises StudyError."""
    made: Histories = imported(ADAPTERS[site.adapter].histories)(site, encounters, task, root)
    return made


def read_codes(site: SiteSection, encounters: Encounters, task: Task, root: Path) -> RecordedCodes:
    """Codes of the encounters that `read_site` made, which are no findings. Raises StudyError."""
    made: RecordedCodes = imported(ADAPTERS[site.adapter].codes)(site, encounters, task, root)
    return made


def read_texts(
    site: SiteSection,
    encounters: Encounters,
    findings: CompressedRows,
    vocabulary: Vocabulary,
    task: Task,
    root: Path,
) -> Texts:
    """A document for each of the encounters that `read_site` made; of an adapter without documents
    their findings, written out. Raises StudyError."""
    reader = ADAPTERS[site.adapter].texts
    if not reader:
        return written_out(findings, vocabulary)
    made: Texts = imported(reader)(site, encounters, task, root)
    return made


def check_site(site: SiteSection, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check what can be known of a site without reading its rows (StudyError)."""
    imported(ADAPTERS[site.adapter].check)(site, vocabulary, task, root)
