"""A first study of patients in the OMOP Common Data Model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.drafting.events import EventDraft, Number, numbers_of
from concept_transfer.drafting.vocabulary import ABSENT, FEWEST
from concept_transfer.events.database import reading
from concept_transfer.events.omop.files import table_files
from concept_transfer.events.omop.model import ANCESTORS, DOMAINS, VISIT, VOCABULARY
from concept_transfer.events.omop.relations import make_events
from concept_transfer.events.omop.source import check_version, opened
from concept_transfer.events.omop.tables import make_views
from concept_transfer.events.omop.usable import make_usable, usable
from concept_transfer.events.vocabulary_draft import Draft, draft
from concept_transfer.settings.filling import TO_FILL
from concept_transfer.sites.omop import UNREACHABLE
from concept_transfer.sites.omop_settings import DEATH, ConceptSet, Index, OmopCohort
from concept_transfer.sites.omop_site import OmopSite

USUAL_VISITS = {9201: "", 9203: ""}  # in hospital, in the emergency room
MOST_VISITS = 5
SITE = """\
    domains: [{domains}]
    concept_sets:
      {fill}: {{concepts: [1]{own}}}  # the outcome's name, and its concept ids instead of 1
    cohort:
      index: {{visits: [{visit}]}}  # the visits that patients enter with{visits}
      outcome: {fill}  # the name given under concept_sets, or death
      horizon_days: 30  # an outcome until then counts
      look_back_days: 365  # findings of the year before the index
{descendants}"""


def is_omop(path: Path) -> bool:
    """Whether a folder has the tables person and condition_occurrence, or a file is DuckDB's."""
    if path.is_dir():
        return {"person", DOMAINS["condition"].table} <= table_files(path).keys()
    return path.suffix == ".duckdb"


def omop_draft(path: Path) -> EventDraft:
    """What tables record of `FEWEST` persons or more, as standard concepts (StudyError)."""
    site = _any_cohort(path)
    with opened(site, Path()) as (db, tables), reading("the OMOP tables", UNREACHABLE):
        check_version(db, tables)
        make_views(db, tables, tables.keys() - {*VOCABULARY, "cdm_source"}, None)
        there = [name for name, domain in DOMAINS.items() if domain.table in tables]
        read = [*(DOMAINS[name] for name in there), VISIT]
        make_usable(db, read, DEATH in tables, site.max_corrupt)
        make_events(db, there, True, [])
        names = _standard(db) if "concept" in tables else {}
        made = draft(db, names, FEWEST)
        genders = {str(code) for (code,) in db.execute("SELECT gender FROM persons").fetchall()}
        units = _names_of_units(db) if "concept" in tables else {}
        numbers = {
            code: _with_unit(number, units)
            for code, number in numbers_of(db, made).items()
            if _known(code, names)
        }
        words, unusable = _words(made, names, site.answers, genders)
        section = _section(_visits(db, names), there, ANCESTORS in tables and bool(names))
    return EventDraft(words, numbers, made.rare, unusable, True, section)


def _any_cohort(path: Path) -> OmopSite:
    """A site of these tables, whoever its cohort will be."""
    any_set = {TO_FILL: ConceptSet(concepts=[1], descendants=False)}
    cohort = OmopCohort(index=Index(visits=[1]), outcome=TO_FILL, horizon_days=1)
    return OmopSite(
        adapter="omop", path=str(path), concept_sets=any_set, cohort=cohort, domains=["person"]
    )


def _standard(db: DuckDBPyConnection) -> dict[str, str]:
    """Concept id -> name of the standard concepts that events and visits have."""
    rows = db.execute(
        f"""
        SELECT concept_id::VARCHAR, concept_name FROM cdm_concept WHERE standard_concept = 'S' AND (
            concept_id IN (SELECT TRY_CAST(split_part(code, '=', 1) AS BIGINT) FROM events)
            OR concept_id IN (SELECT concept FROM {usable(VISIT)}))
        """
    ).fetchall()
    return {str(code): str(name) for code, name in rows}


def _names_of_units(db: DuckDBPyConnection) -> dict[str, str]:
    """Unit as recorded -> its name, of units that are concepts."""
    rows = db.execute(
        "SELECT concept_id::VARCHAR, concept_name FROM cdm_concept WHERE concept_id IN "
        "(SELECT DISTINCT TRY_CAST(unit AS BIGINT) FROM events)"
    ).fetchall()
    return {str(unit): str(name) for unit, name in rows}


def _with_unit(number: Number, names: Mapping[str, str]) -> Number:
    """The number with the name of its only unit."""
    unit = names.get(number.units[0], "") if len(number.units) == 1 else ""
    return replace(number, unit=unit)


def _known(code: str, names: Mapping[str, str]) -> bool:
    return code.isdecimal() and (not names or code in names)


def _words(
    made: Draft,
    names: Mapping[str, str],
    answers: Mapping[int, str],
    genders: Collection[str],
) -> tuple[Vocabulary, dict[str, int]]:
    """The draft's codes as tokens, answers as states of their concept; reason -> codes left out."""
    states = {str(answer): state for answer, state in answers.items()}
    tokens: dict[tuple[str, str], tuple[str, ...]] = {}
    unusable: dict[str, int] = {}
    for code, present in zip(made.vocabulary.concepts, made.vocabulary.states, strict=True):
        concept, _, answer = code.partition("=")
        state = states.get(answer) if answer else present
        if not _known(concept, names):
            reason = "without a standard concept"
        elif state is None or concept in made.numbers:
            reason = "with an answer that 'answers' does not name, or beside numbers"
        else:
            name = " ".join(names.get(concept, concept).split())
            category = "sex" if concept in genders else "finding"
            text = f"no {name}" if state == ABSENT else name
            tokens[concept, state] = concept, name, category, state, text
            continue
        unusable[reason] = unusable.get(reason, 0) + 1
    columns = zip(*tokens.values(), strict=True) if tokens else [()] * 5
    return Vocabulary(*columns), unusable


def _visits(db: DuckDBPyConnection, names: Mapping[str, str]) -> dict[int, str]:
    """The most frequent kinds of visits -> what is known of them."""
    rows = db.execute(
        f"""
        SELECT concept, count(DISTINCT patient) AS patients FROM {usable(VISIT)} WHERE concept > 0
        GROUP BY concept HAVING patients >= {FEWEST} ORDER BY patients DESC, concept
        LIMIT {MOST_VISITS}
        """
    ).fetchall()
    return {
        int(concept): f"{concept} {names.get(str(concept), '')}".strip() + f" ({patients:,})"
        for concept, patients in rows
        if _known(str(concept), names)
    } or USUAL_VISITS


def _section(visits: Mapping[int, str], domains: list[str], ancestors: bool) -> str:
    told = ", ".join(filter(None, visits.values()))
    return SITE.format(
        domains=", ".join([*domains, "person"]),
        fill=TO_FILL,
        own="" if ancestors else ", descendants: false",
        visit=next(iter(visits)),
        visits=f"; persons who have some: {told}" if told else "",
        descendants="    descendants: true  # rarer ids mean what their nearest ancestor does\n"
        * ancestors,
    )
