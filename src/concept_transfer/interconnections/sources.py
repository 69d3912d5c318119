"""Sets of codes as the rooms before this one have them: findings, histories, adapters' codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.inputs.history import BACKGROUND, History
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.interconnections.code_sets import CodeSets, code_sets
from concept_transfer.pretraining.vocabulary import read
from concept_transfer.sites.recorded_codes import RecordedCodes

AGE, SEX = "age", "sex"  # categories of a vocabulary


def of_recorded(recorded: RecordedCodes, encounters: Encounters, ages: Sequence[float]) -> CodeSets:
    """A row an encounter."""
    days = np.full(len(recorded.rows), np.nan, np.float32)
    cluster = encounters.table.column("cluster").to_pylist()
    groups = age_groups(recorded.ages, ages)
    whose = patients_of(encounters)
    return code_sets(recorded.rows, recorded.codes, days, cluster, groups, recorded.sexes, whose)


def of_findings(
    findings: CompressedRows, encounters: Encounters, vocabulary: Vocabulary
) -> CodeSets:
    """A row an encounter, with the concepts that are present; age and sex are the states of the
    vocabulary's concepts of these categories."""
    concepts = np.array(vocabulary.concepts, dtype=np.str_)
    present = np.array([state == "present" for state in vocabulary.states])
    present &= ~np.isin(vocabulary.categories, [AGE, SEX])
    groups = groups_of(findings, vocabulary)
    kept = present[findings.values]
    days = np.full(int(kept.sum()), np.nan, np.float32)
    cluster = encounters.table.column("cluster").to_pylist()
    codes = concepts[findings.values[kept]]
    owners = findings.owners[kept]
    age, sex = groups[AGE].tolist(), groups[SEX].tolist()
    return code_sets(owners, codes, days, cluster, age, sex, patients_of(encounters))


def patients_of(encounters: Encounters) -> NDArray[np.int64]:
    """The number of every encounter's patient, int64 [n]; one who is not known is another's."""
    names = encounters.table.column("patient").to_pylist()
    keys = [("unknown", str(row)) if name is None else ("", name) for row, name in enumerate(names)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64)


def groups_of(findings: CompressedRows, vocabulary: Vocabulary) -> dict[str, NDArray[np.object_]]:
    """Age group and sex of every row, '' where unknown: the states of concepts that tell them."""
    states = np.array(vocabulary.states, dtype=object)
    groups = {}
    for category in (AGE, SEX):
        tells = np.array([own == category for own in vocabulary.categories])
        told = tells[findings.values]
        groups[category] = np.full(len(findings), "", dtype=object)
        groups[category][findings.owners[told]] = states[findings.values[told]]
    return groups


def of_history(
    history: History, unit: str, ages: Sequence[float], sexes: Sequence[str]
) -> CodeSets:
    """A row a patient, or a visit of one (`unit`), with the codes that have a time; patients are
    clusters.

    A patient's age is that at the last event, a visit's that of its own last. sexes: patterns of
    the codes without a time that tell a patient's sex.
    """
    owners, values = history.codes.owners, history.codes.values
    names = np.array(history.names, dtype=np.str_)
    tells = read(history.names, sexes)[values] & (history.visits == BACKGROUND)
    sex = np.full(len(history), "", dtype=object)
    sex[owners[tells]] = names[values[tells]].astype(object)
    dated = history.visits != BACKGROUND
    owners, values, whose = owners[dated], values[dated], np.arange(len(history))
    rows = owners
    if unit == "visit":
        most = int(history.visits.max(initial=0)) + 1
        visits, rows = np.unique(owners * most + history.visits[dated], return_inverse=True)
        whose = visits // most
    oldest = np.full(len(whose), -np.inf)
    known = np.nan_to_num(history.ages[dated].astype(float), nan=-np.inf)
    np.maximum.at(oldest, rows, known)
    groups = age_groups(np.where(np.isinf(oldest), np.nan, oldest), ages)
    cluster = whose.astype(np.str_)
    sexes_of_rows = sex[whose].tolist()
    return code_sets(
        rows, names[values], -history.days[dated], cluster, groups, sexes_of_rows, whose
    )


def age_groups(ages: NDArray[np.float64], begins: Sequence[float]) -> NDArray[np.str_]:
    """Groups in words, '' where the age is unknown.

    >>> age_groups(np.array([3.0, 18, np.nan]), [5, 18]).tolist()
    ['under 5', 'from 18', '']
    """
    words = np.array([f"under {begins[0]:g}", *(f"from {year:g}" for year in begins)])
    return np.where(np.isnan(ages), "", words[np.digitize(np.nan_to_num(ages), begins)])
