"""The relations of a cohort and its events, as views of the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.events.database import quoted
from concept_transfer.events.omop.model import DOMAINS, ENTERING, VISIT, Domain
from concept_transfer.events.omop.usable import KNOWN, usable
from concept_transfer.sites.omop_settings import DEATH, Index


def make_cohort_relations(
    db: DuckDBPyConnection,
    index: Index,
    outcome: str,
    care_sites: Iterable[int],
    domains: Iterable[str],
    answers: Mapping[int, str],
) -> None:
    """Make ``index_events``, ``outcomes``, ``outcome_codes`` and ``observed`` of usable rows.

    domains: those of which the tables are there.
    """
    entering = [domain for domain in domains if domain in ENTERING]
    at_site = _ids("care_site_id", care_sites)
    of_visits = f"SELECT visit_occurrence_id FROM {usable(VISIT)} WHERE {at_site}"
    if index.visits:
        events = [
            f"SELECT patient, coalesce(time, day::TIMESTAMP) AS time FROM {usable(VISIT)} "
            f"WHERE {_ids('concept', index.visits)} AND {at_site}"
        ]
    else:
        where = f" AND visit_occurrence_id IN ({of_visits})" if at_site != "true" else ""
        events = [
            f"SELECT patient, coalesce(time, day::TIMESTAMP) AS time FROM {usable(DOMAINS[name])} "
            f"WHERE {_in_set(index.concept_set or '')}{where}"
            for name in entering
        ]
    db.execute(f"CREATE TEMP VIEW index_events AS {' UNION ALL '.join(events)}")
    absent = [answer for answer, state in answers.items() if state == "absent"]
    outcomes = [_outcomes(DOMAINS[name], outcome, absent) for name in entering]
    if outcome == DEATH:
        outcomes = ["SELECT patient, time FROM deaths"]
    db.execute(f"CREATE TEMP VIEW outcomes AS {' UNION ALL '.join(outcomes)}")
    values = ", ".join(f"'={answer}'" for answer in answers)
    db.execute(
        f"""
        CREATE TEMP VIEW outcome_codes AS
        SELECT concept || unnest(['', {values}]) AS code FROM concept_sets WHERE {_named(outcome)}
        """
    )


def make_events(
    db: DuckDBPyConnection, domains: Iterable[str], person: bool, flagged: Iterable[int]
) -> None:
    """Make ``events``: the concept id is the code, ``id=answer`` where there is an answer and no
    number, ``0 (source value)`` where there is no concept.

    person: with the gender, at all times. flagged: concepts whose numbers are also events
    ``id=low``, ``id=normal`` or ``id=high`` by the range that the row gives.
    """
    parts = [_events(DOMAINS[name]) for name in domains]
    ids = list(flagged)
    if ids and "measurement" in domains:
        parts.append(_flags(ids))
    if person:
        parts.append(
            "SELECT patient, NULL::TIMESTAMP, gender::VARCHAR, NULL::DOUBLE, NULL::VARCHAR, "
            "NULL::VARCHAR FROM persons WHERE gender > 0"
        )
    if not parts:
        raise StudyError("'domains' leaves nothing that findings could be made of")
    db.execute(f"CREATE TEMP VIEW events AS {' UNION ALL '.join(parts)}")


def _events(domain: Domain) -> str:
    value, unit, answer = "NULL::DOUBLE", "NULL::VARCHAR", ""
    if domain.values:
        value, unit = "value", "coalesce(nullif(unit_id, 0)::VARCHAR, unit_source)"
        answer = "WHEN value IS NULL AND answer > 0 THEN concept || '=' || answer"
    code = f"""CASE WHEN coalesce(concept, 0) = 0 THEN '0 (' || coalesce(source, '') || ')'
        {answer} ELSE concept::VARCHAR END"""
    return (
        f"SELECT patient, {KNOWN} AS time, {code} AS code, {value} AS value, {unit} AS unit, "
        f"visit_occurrence_id::VARCHAR AS visit FROM {usable(domain)}"
    )


def _flags(concepts: list[int]) -> str:
    return f"""
        SELECT patient, {KNOWN}, concept || CASE WHEN value < low THEN '=low'
            WHEN value > high THEN '=high' ELSE '=normal' END, NULL::DOUBLE, NULL::VARCHAR,
            visit_occurrence_id::VARCHAR
        FROM {usable(DOMAINS["measurement"])} WHERE {_ids("concept", concepts)}
        AND (value < low OR value > high OR value BETWEEN low AND high)
        """


def _outcomes(domain: Domain, outcome: str, absent: list[int]) -> str:
    said = f" AND NOT coalesce({_ids('answer', absent)}, false)" if domain.values and absent else ""
    return f"SELECT patient, {KNOWN} AS time FROM {usable(domain)} WHERE {_in_set(outcome)}{said}"


def _in_set(name: str) -> str:
    return f"concept IN (SELECT concept FROM concept_sets WHERE {_named(name)})"


def _named(name: str) -> str:
    return f"name = {quoted(name)}"


def _ids(column: str, ids: Iterable[int]) -> str:
    """A condition in SQL, true for no ids."""
    listed = ", ".join(map(str, ids))
    return f"{column} IN ({listed})" if listed else "true"
