"""Adapter of the Medical Event Data Standard: events, and a cohort by labels, ACES or codes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.cohort import by_labels, by_rule, encounters_of
from concept_transfer.events.database import database, reading
from concept_transfer.events.findings import numbers_of, recorded
from concept_transfer.events.histories import histories_of
from concept_transfer.events.mapping import check_units, write_mapping
from concept_transfer.events.meds.aces import aces_labels, check_aces
from concept_transfer.events.meds.codes import check_unit_keys, matching, meanings
from concept_transfer.events.meds.dataset import BIRTH, DEATH, Dataset
from concept_transfer.events.meds.labels import check_labels, read_labels
from concept_transfer.events.meds.repeated import repeated
from concept_transfer.events.patients import Asked
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.histories import Histories
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.sites.report import ingest_report

REMEDY = "copy the dataset again, or make it anew"


def check_meds(site: MedsSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check files, their columns, and the vocabulary without reading a row (StudyError)."""
    _dataset(site, root).check()
    if site.labels is not None:
        check_labels(resolve(site.labels, root), task.class_names)
    elif len(task.class_names) != 2:
        raise StudyError(
            f"task.classes has {len(task.class_names)} names, but a cohort by codes or by ACES has "
            "two classes: without the outcome and with it; give more classes as 'labels'"
        )
    if site.aces is not None:
        check_aces(resolve(site.aces, root))
    if site.age is not None:
        vocabulary.require(site.age, "age")
        if site.age not in vocabulary.bins:
            raise StudyError(f"age: the concept {site.age} has no bins; give them under 'bins'")
    _crosswalk(site, vocabulary, root)


def read_meds(site: MedsSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Encounters, findings and ingest report of a MEDS site.

    An encounter is ``<subject>@<index time>``, its cluster the subject. Findings are the codes
    from the beginning of the look-back to before the index time, and those without a time. Raises
    StudyError.
    """
    dataset = _dataset(site, root)
    with database() as db, reading(str(dataset.folder), REMEDY):
        set_aside = dataset.load(db, site.max_corrupt)
        dropped = _make_cohort(db, site, dataset, task.class_names, root)
        aside = _map(db, site, dataset, vocabulary, root)
        units = check_units(db)
        made = recorded(db, vocabulary, task, site.age, aside)
        encounters = encounters_of(db, dataset.has_partitions)
        twice = repeated(db)
    report = ingest_report(
        encounters,
        len(encounters) + sum(dropped.values()),
        dropped,
        made.use.unmapped,
        made.not_recorded,
        made.use.mapping(),
        set_aside,
        units,
    )
    report |= {"copies": twice.copies, "divided_subjects": twice.divided}
    report |= {"warnings": twice.warnings()}
    return Extract(encounters, {"findings": made.findings}, report, set_aside)


def columns_of(site: MedsSite, vocabulary: Vocabulary, root: Path) -> list[str]:
    """The binned concepts that codes of the dataset's metadata hold, and the age; all of them
    where there are no metadata."""
    dataset = _dataset(site, root)
    with database() as db:
        described = dataset.descriptions(db)
    if not described:
        return list(vocabulary.bins)
    parents = {code: above for code, (_, above) in described.items()}
    found, _ = meanings(described, vocabulary, _crosswalk(site, vocabulary, root), parents, {})
    held = {meaning.concept for meaning in found if meaning.state is None} | {site.age}
    return [concept for concept in vocabulary.bins if concept in held]


def read_numbers(
    site: MedsSite, concept: str, vocabulary: Vocabulary, root: Path
) -> NDArray[np.float64]:
    """The concept's number at every encounter of the site, float64 [encounters], NaN for none."""
    dataset = _dataset(site, root)
    with database() as db, reading(str(dataset.folder), REMEDY):
        dataset.load(db, site.max_corrupt)
        _make_cohort(db, site, dataset, None, root)
        _map(db, site, dataset, vocabulary, root)
        check_units(db)
        return numbers_of(db, concept, site.age)


def read_histories(site: MedsSite, encounters: Encounters, task: Task, root: Path) -> Histories:
    """Histories of the encounters that `read_meds` made, and whole records of all patients. Raises
    StudyError."""
    dataset = _dataset(site, root)
    with database() as db, reading(str(dataset.folder), REMEDY):
        dataset.load(db, site.max_corrupt)
        _make_cohort(db, site, dataset, task.class_names, root)
        return histories_of(db, encounters)


@contextlib.contextmanager
def asked_patients(site: MedsSite, times: Path | None, root: Path) -> Iterator[Asked]:
    """Patients whose outcome nobody knows, see `Asked`. Of `site` the dataset, its columns and the
    span of the look-back are read. Raises StudyError."""
    dataset = _dataset(site, root)
    dataset.check()
    with database() as db, reading(str(dataset.folder), REMEDY):
        dataset.load(db, site.max_corrupt)
        yield Asked.of(db, times, site.cohort or site.window)


def _dataset(site: MedsSite, root: Path) -> Dataset:
    return Dataset(resolve(site.path, root), site.unit_column, site.visit_column)


def _make_cohort(
    db: DuckDBPyConnection,
    site: MedsSite,
    dataset: Dataset,
    classes: Sequence[str] | None,
    root: Path,
) -> dict[str, int]:
    """Make ``cohort`` and ``outcome_codes``; returns reason -> who was left out. classes: None
    where nobody asks for the label."""
    _codes(db, "outcome_codes", [])
    if site.labels is not None:
        dropped = read_labels(db, resolve(site.labels, root), classes)
        return dropped | by_labels(db, site.window)
    if site.aces is not None:
        aces_labels(db, resolve(site.aces, root), dataset.files)
        return by_labels(db, site.window)
    assert site.cohort is not None
    known = _known_codes(db)
    _codes(db, "outcome_codes", matching(site.cohort.outcome, known, "cohort.outcome"))
    _codes(db, "index_codes", matching(site.cohort.index, known, "cohort.index"))
    for relation in ("index", "outcome"):
        plural = "index_events" if relation == "index" else "outcomes"
        db.execute(
            f"CREATE OR REPLACE TEMP VIEW {plural} AS SELECT patient, time FROM events "
            f"WHERE time IS NOT NULL AND code IN (SELECT code FROM {relation}_codes)"
        )
    return by_rule(db, site.cohort)


def _map(
    db: DuckDBPyConnection, site: MedsSite, dataset: Dataset, vocabulary: Vocabulary, root: Path
) -> list[str]:
    """Make ``tokens`` and ``numbers``; returns codes without a concept on purpose."""
    codes = _known_codes(db)
    check_unit_keys(site.units, codes, vocabulary)
    parents = {code: above for code, (_, above) in dataset.descriptions(db).items()}
    crosswalk = _crosswalk(site, vocabulary, root)
    found, aside = meanings(codes, vocabulary, crosswalk, parents, site.units)
    write_mapping(db, found, vocabulary)
    return [*aside, BIRTH, DEATH]


def _known_codes(db: DuckDBPyConnection) -> list[str]:
    return [code for (code,) in db.execute("SELECT DISTINCT code FROM events").fetchall()]


def _codes(db: DuckDBPyConnection, name: str, codes: Sequence[str]) -> None:
    query = f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT unnest(?::VARCHAR[]) AS code"
    db.execute(query, [codes])


def _crosswalk(site: MedsSite, vocabulary: Vocabulary, root: Path) -> Crosswalk | None:
    return Crosswalk.read(resolve(site.crosswalk, root), vocabulary) if site.crosswalk else None
