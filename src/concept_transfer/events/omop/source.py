"""The tables of a site, wherever they lie, and what must be right with them before any row."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.events.database import database, quoted
from concept_transfer.events.omop.databases import (
    attach_file,
    attached_postgresql,
    attached_tables,
    url_of,
)
from concept_transfer.events.omop.files import folder_tables
from concept_transfer.events.omop.model import (
    ANCESTORS,
    DOMAINS,
    TABLES,
    VERSIONS,
    VISIT,
    VOCABULARY,
)
from concept_transfer.events.omop.tables import (
    Table,
    check_columns,
    make_views,
    may_have_zone,
)
from concept_transfer.paths import resolve
from concept_transfer.sites.omop_settings import DEATH, UrlFrom
from concept_transfer.sites.omop_site import OmopSite

CDM = TABLES - set(VOCABULARY)
NO_VERSION = "its tables do not say their version (cdm_source); 5.3 or 5.4 is assumed"


@contextlib.contextmanager
def opened(site: OmopSite, root: Path) -> Iterator[tuple[DuckDBPyConnection, dict[str, Table]]]:
    """A connection, and the tables of a site as far as they are there and asked for.

    Checked are their names, columns and version (StudyError); no row of a patient is read.
    """
    with database() as db, contextlib.ExitStack() as stack:
        if site.database is not None:
            tables = _of_postgresql(db, site, stack)
        else:
            tables = _of_path(db, site, resolve(site.path or "", root))
        if site.vocabulary_path is not None:
            folder = resolve(site.vocabulary_path, root)
            _check_folder(folder, "vocabulary_path")
            tables = {name: t for name, t in tables.items() if name in CDM}
            tables |= folder_tables(db, folder, frozenset(VOCABULARY))
        _check_zone(db, site.time_zone)
        needed = tables_needed(site)
        for name, why in needed.items():
            if name not in tables:
                raise _missing(name, why, site, tables)
        asked = {n: t for n, t in tables.items() if n in (*needed, *VOCABULARY, "cdm_source")}
        asked |= {n: t for n, t in tables.items() if n in _of_sets(site)}
        for table in asked.values():
            check_columns(table, site.time_zone)
        if site.time_zone is not None and not any(map(may_have_zone, asked.values())):
            raise StudyError(
                f"time_zone is {site.time_zone}, but no time of the tables has a zone, and nothing "
                "would be converted; take it out if the times are the hospital's local ones, and "
                "convert them first if they are not"
            )
        make_views(db, asked, {"cdm_source", *VOCABULARY} & asked.keys(), site.time_zone)
        yield db, asked


def check_version(db: DuckDBPyConnection, tables: Mapping[str, Table]) -> str | None:
    """A warning where the tables do not say their version. Raises StudyError for another one."""
    if "cdm_source" not in tables:
        return NO_VERSION
    rows = db.execute("SELECT DISTINCT cdm_version FROM cdm_cdm_source").fetchall()
    told = [str(version) for (version,) in rows if version]
    for version in told:
        number = re.search(r"\d+(\.\d+)?", version)
        if number is None or number[0] not in VERSIONS:
            raise StudyError(
                f"{tables['cdm_source'].place} says that the version of the OMOP model is "
                f"'{version}'; {' and '.join(VERSIONS)} can be read"
            )
    return None if told else NO_VERSION


def tables_needed(site: OmopSite) -> dict[str, str]:
    """Table that a site must have -> what asks for it."""
    needed = {"person": "every study", "observation_period": "every study"}
    if site.cohort.index.visits:
        needed[VISIT.table] = "'cohort.index.visits'"
    if site.care_sites:
        needed[VISIT.table] = "'care_sites'"
    if site.cohort.outcome == DEATH:
        needed[DEATH] = "the outcome 'death'"
    if sets_of(site):
        needed[DOMAINS["condition"].table] = "a concept set"
    for domain in site.domains:
        if domain in DOMAINS:
            needed.setdefault(DOMAINS[domain].table, f"'{domain}' among the 'domains'")
    if site.descendants:
        needed |= dict.fromkeys(("concept", ANCESTORS), "'descendants'")
    for name in sets_of(site):
        if site.concept_sets[name].descendants:
            asked = f"'descendants' of the concept set '{name}'"
            needed |= dict.fromkeys(("concept", ANCESTORS), asked)
    return needed


def sets_of(site: OmopSite) -> list[str]:
    """The concept sets that the cohort names."""
    names = [site.cohort.index.concept_set, site.cohort.outcome]
    return [name for name in names if name is not None and name in site.concept_sets]


def _of_sets(site: OmopSite) -> set[str]:
    """Tables that are read if they are there: those whose events a concept set may hold."""
    used = {domain.table for domain in DOMAINS.values()} if sets_of(site) else set()
    return used | {DEATH}


def _of_postgresql(
    db: DuckDBPyConnection, site: OmopSite, stack: contextlib.ExitStack
) -> dict[str, Table]:
    given = site.database
    if isinstance(given, UrlFrom):
        url, place = url_of(given.url_from), f"the database of ${given.url_from}"
    else:
        url, place = given or "", "the database"
    stack.enter_context(attached_postgresql(db, url, place))
    return _in_schemas(db, site, "public", place, copied=True)


def _of_path(db: DuckDBPyConnection, site: OmopSite, path: Path) -> dict[str, Table]:
    if path.is_file():
        attach_file(db, path)
        return _in_schemas(db, site, "main", str(path), copied=False)
    _check_folder(path, "path")
    for key in ("cdm_schema", "vocabulary_schema"):
        if getattr(site, key) is not None:
            raise StudyError(f"'{key}' is for databases, and 'path' is a folder; take it out")
    return folder_tables(db, path, TABLES)


def _in_schemas(
    db: DuckDBPyConnection, site: OmopSite, default: str, place: str, copied: bool
) -> dict[str, Table]:
    schema = site.cdm_schema or default
    tables = attached_tables(db, schema, TABLES, place, copied)
    if site.vocabulary_schema not in (None, schema):
        other = attached_tables(
            db, site.vocabulary_schema or "", frozenset(VOCABULARY), place, copied
        )
        tables = {name: table for name, table in tables.items() if name in CDM} | other
    return tables


def _check_folder(folder: Path, key: str) -> None:
    if not folder.is_dir():
        raise StudyError(
            f"{folder} does not exist; '{key}' is a folder with a Parquet or CSV file a table"
            + (", or a DuckDB file" if key == "path" else "")
        )


def _check_zone(db: DuckDBPyConnection, zone: str | None) -> None:
    if zone is None:
        return
    try:
        db.execute(f"SELECT now() AT TIME ZONE {quoted(zone)}")
    except duckdb.Error:
        raise StudyError(
            f"time_zone is '{zone}', which is no name of a time zone; they read America/New_York"
        ) from None


def _missing(name: str, why: str, site: OmopSite, tables: Mapping[str, Table]) -> StudyError:
    domains = {domain.table: key for key, domain in DOMAINS.items()}
    remedy = ""
    if why.endswith("'domains'"):
        remedy = f", or take '{domains[name]}' out of 'domains'"
    elif "descendants" in why:
        remedy = " (OHDSI's Athena gives the vocabulary tables), or set descendants: false"
    places = f"a table '{name}' in the schema"
    if site.path is not None:
        places = f"{name}.parquet, {name}.csv or a folder {name} of parts (or so in a database)"
    there = ", ".join(sorted(tables)) or "none"
    return StudyError(
        f"{site.path or 'the database'} lacks the OMOP table {name}, which {why} asks for; it "
        f"needs {places}, in upper or lower case{remedy}. Tables found: {there}"
    )
