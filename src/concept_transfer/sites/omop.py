"""Adapter of the OMOP Common Data Model: coded events in folders and databases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.cohort import by_rule, encounters_of
from concept_transfer.events.database import reading
from concept_transfer.events.findings import numbers_of, recorded
from concept_transfer.events.histories import histories_of
from concept_transfer.events.mapping import check_units, write_mapping
from concept_transfer.events.omop.concept_sets import check_concepts, make_concept_sets
from concept_transfer.events.omop.mapping import (
    FLAGS,
    aside_of,
    meanings_of,
    nearest_codes,
    targets_of,
)
from concept_transfer.events.omop.model import DOMAINS, VISIT, VOCABULARY
from concept_transfer.events.omop.relations import make_cohort_relations, make_events
from concept_transfer.events.omop.source import check_version, opened, sets_of
from concept_transfer.events.omop.tables import Table, make_views
from concept_transfer.events.omop.usable import Read, make_usable
from concept_transfer.events.patients import Asked
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.histories import Histories
from concept_transfer.sites.omop_settings import DEATH
from concept_transfer.sites.omop_site import OmopSite
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.units import Units

UNREACHABLE = "see that files and database stay within reach, and start again"


def check_omop(site: OmopSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check tables, columns, version, concept ids and concept sets; no row of a patient is read
    (StudyError)."""
    with opened(site, root) as (db, tables), reading("the OMOP tables", UNREACHABLE):
        _prepare(db, tables, site, vocabulary, root)


def read_omop(site: OmopSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Encounters, findings and ingest report of a site; ids are ``person@index time``.

    Raises StudyError.
    """
    with _cohort(site, vocabulary, root) as (db, cohort):
        made = recorded(db, vocabulary, task, site.age, cohort.aside)
        encounters = encounters_of(db)
    report = ingest_report(
        encounters,
        cohort.read.rows,
        cohort.dropped,
        made.use.unmapped,
        made.not_recorded,
        made.use.mapping(),
        cohort.read.set_aside,
        cohort.units,
    )
    report |= {"events_known_by_the_day": cohort.read.days, "copies": cohort.read.copies}
    report |= {"warnings": [*cohort.warnings, *map(_of_copies, cohort.read.copies.items())]}
    return Extract(encounters, {"findings": made.findings}, report, cohort.read.set_aside)


def read_numbers(
    site: OmopSite, concept: str, vocabulary: Vocabulary, root: Path
) -> NDArray[np.float64]:
    """The last number of a concept before the index time, float64 [encounters], NaN for none."""
    with _cohort(site, vocabulary, root) as (db, _):
        return numbers_of(db, concept, site.age)


def read_histories(site: OmopSite, encounters: Encounters, task: Task, root: Path) -> Histories:
    """Histories of the encounters that `read_omop` made, and whole records of all persons; range
    flags are no codes of theirs. Raises StudyError."""
    with opened(site, root) as (db, tables), reading("the OMOP tables", UNREACHABLE):
        _make_sets(db, tables, site)
        _make_cohort(db, tables, site)
        _make_events(db, tables, site, [])
        return histories_of(db, encounters)


@contextlib.contextmanager
def asked_patients(site: OmopSite, times: Path | None, root: Path) -> Iterator[Asked]:
    """Persons whose outcome nobody knows, see `Asked`; all of the cohort's section that is read is
    the span of the look-back. Raises StudyError."""
    with opened(site, root) as (db, tables), reading("the OMOP tables", UNREACHABLE):
        _make_usable(db, tables, site)
        _make_events(db, tables, site, [])
        db.execute(
            "CREATE OR REPLACE TEMP TABLE observed AS SELECT patient, min(start) AS start, "
            "max(stop) AS stop, any_value(death) AS death FROM observed GROUP BY patient"
        )
        yield Asked.of(db, times, site.cohort)


def columns_of(site: OmopSite, vocabulary: Vocabulary, root: Path) -> list[str]:
    """The concepts that the site's concept ids lead to."""
    targets = targets_of(vocabulary, _crosswalk(site, root))
    held = {concept for meant in targets.values() for concept, _ in meant} | {site.age}
    return [concept for concept in vocabulary.concept_states if concept in held]


@dataclass(frozen=True)
class _Cohort:
    """What happened on the way to a cohort; aside: codes without a concept on purpose; units: of
    the numbers, by concept."""

    read: Read
    dropped: Mapping[str, int]
    warnings: list[str]
    aside: list[str]
    units: Mapping[str, Units]


@contextlib.contextmanager
def _cohort(
    site: OmopSite, vocabulary: Vocabulary, root: Path
) -> Iterator[tuple[DuckDBPyConnection, _Cohort]]:
    """A connection with all that findings are made of."""
    with opened(site, root) as (db, tables), reading("the OMOP tables", UNREACHABLE):
        warnings, aside = _prepare(db, tables, site, vocabulary, root)
        read, dropped = _make_cohort(db, tables, site)
        _make_events(db, tables, site, _flagged(db))
        units = check_units(db)
        yield db, _Cohort(read, dropped, warnings, aside, units)


def _of_copies(counted: tuple[str, int]) -> str:
    table, number = counted
    rows = "one row is a copy" if number == 1 else f"{number:,} rows are copies"
    return f"of the table {table} {rows} of another one, with its id, and left out"


def _make_cohort(
    db: DuckDBPyConnection, tables: Mapping[str, Table], site: OmopSite
) -> tuple[Read, dict[str, int]]:
    """Make ``cohort`` of usable rows; returns what became of all rows, and reason -> who was left
    out."""
    read, there, asked = _make_usable(db, tables, site), _domains(tables), site.cohort
    make_cohort_relations(db, asked.index, asked.outcome, site.care_sites, there, site.answers)
    return read, by_rule(db, asked)


def _make_usable(db: DuckDBPyConnection, tables: Mapping[str, Table], site: OmopSite) -> Read:
    make_views(db, tables, tables.keys() - {*VOCABULARY, "cdm_source"}, site.time_zone)
    domains = [DOMAINS[name] for name in _domains(tables)]
    domains += [VISIT] if VISIT.table in tables else []
    return make_usable(db, domains, DEATH in tables, site.max_corrupt)


def _make_events(
    db: DuckDBPyConnection, tables: Mapping[str, Table], site: OmopSite, flagged: list[int]
) -> None:
    """Make ``events`` of the domains that the site is read of."""
    read = [name for name in _domains(tables) if name in site.domains]
    make_events(db, read, "person" in site.domains, flagged)


def _domains(tables: Mapping[str, Table]) -> list[str]:
    """Those of which the tables are there."""
    return [name for name, domain in DOMAINS.items() if domain.table in tables]


def _prepare(
    db: DuckDBPyConnection,
    tables: Mapping[str, Table],
    site: OmopSite,
    vocabulary: Vocabulary,
    root: Path,
) -> tuple[list[str], list[str]]:
    """Check version and concept ids, make concept sets and the mapping; returns warnings, and
    codes without a concept on purpose."""
    warning = check_version(db, tables)
    _make_sets(db, tables, site)
    if site.age is not None and site.age not in vocabulary.bins:
        raise StudyError(f"age names '{site.age}', which has no bins; give it some under 'bins'")
    targets = targets_of(vocabulary, _crosswalk(site, root))
    codes = {
        code: int(number) for code in targets if (number := code.partition("=")[0]).isdecimal()
    }
    if not codes:
        raise StudyError(
            "no concept of the vocabulary is a concept id, such as 316139, and there is no "
            "crosswalk that leads from concept ids to the vocabulary; name one under 'crosswalk'"
        )
    if "concept" in tables:
        names = dict(zip(vocabulary.concepts, vocabulary.names, strict=True))
        where = site.crosswalk or "the vocabulary"
        meant = {code: names[of[0][0]] if of else code for code, of in targets.items()}
        asked = [(where, number, meant[code]) for code, number in codes.items()]
        check_concepts(db, asked, site.descendants)
    bases = {number: [number] for code, number in codes.items() if code.isdecimal()}
    if site.descendants:
        bases = nearest_codes(db, list(bases))
    unknown = sorted(site.units.keys() - bases.keys())
    if unknown:
        raise StudyError(
            f"units names the concept id {unknown[0]}, which no concept of the vocabulary takes; "
            "take it out, or map it"
        )
    meanings = meanings_of(targets, bases, site.answers, site.units, vocabulary)
    write_mapping(db, meanings, vocabulary)
    return [warning] if warning else [], aside_of(targets, bases)


def _make_sets(db: DuckDBPyConnection, tables: Mapping[str, Table], site: OmopSite) -> None:
    """Check the concept ids of the cohort, and make its concept sets."""
    sets = {name: site.concept_sets[name] for name in sets_of(site)}
    if "concept" in tables:
        check_concepts(db, [("cohort.index", v, "visit") for v in site.cohort.index.visits], False)
        for name, given in sets.items():
            ids = [(f"concept_sets.{name}", c, name) for c in (*given.concepts, *given.exclude)]
            check_concepts(db, ids, given.descendants)
    make_concept_sets(db, sets)


def _crosswalk(site: OmopSite, root: Path) -> Path | None:
    return resolve(site.crosswalk, root) if site.crosswalk else None


def _flagged(db: DuckDBPyConnection) -> list[int]:
    """Concept ids of which a range flag has a token."""
    ends = ", ".join(f"'{flag}'" for flag in FLAGS)
    rows = db.execute(
        "SELECT DISTINCT split_part(code, '=', 1)::BIGINT FROM tokens "
        f"WHERE split_part(code, '=', 2) IN ({ends})"
    ).fetchall()
    return [int(code) for (code,) in rows]
