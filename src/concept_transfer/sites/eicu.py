"""Adapter of eICU: who of an intensive-care unit's patients dies, or is found to have an infection.

The eICU Collaborative Research Database (Pollard et al. 2018, doi:10.1038/sdata.2018.178) and its
open demo. A stay is an encounter; the patient, with all stays, is the cluster.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, choices
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.code_use import code_use, fate_of
from concept_transfer.sites.codes import crosswalk_of, token_pairs, tokens_of
from concept_transfer.sites.eicu_site import EicuSite, file_names
from concept_transfer.sites.eicu_stays import AGE, MINUTES, SEX, ages_of, at_site, read_stays
from concept_transfer.sites.eicu_tables import STAY, Records, check_file, read_records
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.tokens import token_rows

if TYPE_CHECKING:
    import pandas as pd

MORTALITY = "mortality"
# A step of a diagnosis' path that begins so is the outcome; a code with the word in it tells it.
OUTCOMES = {"pneumonia": r"\|pneumonia", "sepsis": r"\|(sepsis|septic shock)"}
TELLING = {"pneumonia": "pneumonia", "sepsis": "sepsis|septic"}


def check_eicu(site: EicuSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check task, files, headers and vocabulary without reading a row (StudyError)."""
    if task.label not in (MORTALITY, *OUTCOMES) or len(task.class_names) != 2:
        raise StudyError(
            f"task.label is '{task.label}' with {len(task.class_names)} classes; stays are "
            f"labelled by one of {choices((MORTALITY, *OUTCOMES))}, without and with it"
        )
    for name in file_names(site):
        check_file(resolve(site.path, root), name)
    known = {concept.partition("|")[0] for concept in vocabulary.concept_states}
    if crosswalk := crosswalk_of(site, vocabulary, root):
        crosswalk.require_tokens()
    elif known.isdisjoint(site.tables):
        raise StudyError(
            f"the vocabulary has no concept of the tables {', '.join(site.tables)} (such as "
            "'diagnosis|pulmonary'); python -m concept_transfer.sites.eicu_vocabulary drafts one "
            "from the files, or map codes to the vocabulary's concepts in a 'crosswalk'"
        )


def read_eicu(site: EicuSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Stays that last until the index time.

    The label is death in hospital, or a diagnosis of the outcome from the index time on; stays with
    such a diagnosis before are left out, and codes that name the outcome are no findings (past
    history is). Findings are codes recorded before the index time: a code has the concepts of the
    crosswalk, or else that of its name, or of its longest prefix in steps of the path. Time
    is the first day of the year of discharge. Raises StudyError.
    """
    check_eicu(site, vocabulary, task, root)
    folder = resolve(site.path, root)
    stays, rows_read, dropped = _cohort(site, task, folder)
    count, index = len(stays), site.after_hours * MINUTES

    people = _demographics(stays, vocabulary)
    not_recorded = {
        concept: count
        - sum(len(rows) for rows, token in people if vocabulary.concepts[token] == concept)
        for concept in (AGE, SEX)
        if concept in vocabulary.concept_states
    }
    recorded: dict[str, NDArray[np.int64]] = {}
    for table in site.tables:
        records = read_records(folder, table, stays[STAY], index)
        if task.label in TELLING and table != "past history":
            records = _without(records, TELLING[task.label])
        recorded |= records.stays_of_codes()
    crosswalk = crosswalk_of(site, vocabulary, root)
    tokens = tokens_of(list(recorded), crosswalk, lambda code: _token(code, vocabulary))
    encounter, token = token_pairs(recorded, tokens)
    encounter = np.concatenate([encounter, *(rows for rows, _ in people)])
    token = np.concatenate([token, *(np.full(len(rows), value) for rows, value in people)])
    used = ((code, fate_of(tokens.get(code)), rows) for code, rows in recorded.items())
    use = code_use(used, count)

    years = [int(year) if year.isdigit() else None for year in stays["hospitaldischargeyear"]]
    encounters = Encounters(
        encounter_table(
            encounter=stays[STAY].to_numpy(),
            patient=stays["uniquepid"].to_numpy(),
            cluster=stays["uniquepid"].to_numpy(),
            label=stays["label"].to_numpy(np.int8),
            time=[year and datetime.date(year, 1, 1) for year in years],
        )
    )
    findings = token_rows(encounter, token, count, vocabulary, task)
    report = ingest_report(
        encounters, rows_read, dropped, use.unmapped, not_recorded, use.mapping()
    )
    return Extract(encounters, {"findings": findings}, report)


def _cohort(site: EicuSite, task: Task, folder: Path) -> tuple[pd.DataFrame, int, dict[str, int]]:
    """The site's stays with their `label`, the number of all stays, and why others are dropped."""
    stays = read_stays(folder)
    index = site.after_hours * MINUTES
    here = at_site(site, stays, folder)
    label, diagnosed = _label(stays, task, folder, index)
    reasons = {
        "another region or hospital": ~here,
        f"stay of less than {site.after_hours:g} hours": stays["minutes"] < index,
        f"{task.label} before the index time": diagnosed,
        "outcome not recorded": label < 0,
    }
    dropped, kept = {}, np.ones(len(stays), bool)
    for reason, lost in reasons.items():
        dropped[reason] = int((kept & lost).sum())
        kept &= ~np.asarray(lost)
    if not kept.any():
        told = ", ".join(f"{reason}: {number}" for reason, number in dropped.items() if number)
        raise StudyError(
            f"{folder}: not one of {len(stays)} stays is left ({told}); look at region, hospitals "
            "and after_hours"
        )
    return stays.assign(label=label)[kept].reset_index(drop=True), len(stays), dropped


def _label(
    stays: pd.DataFrame, task: Task, folder: Path, index: float
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Class of each stay (-1: not recorded), and whether it had the outcome before the index."""
    none = np.zeros(len(stays), bool)
    if task.label == MORTALITY:
        status = stays["hospitaldischargestatus"].map({"Alive": 0, "Expired": 1}).fillna(-1)
        return np.asarray(status, np.int8), none
    ever, before = none.copy(), none.copy()
    for found, table, limit in (
        (ever, "diagnosis", None),
        (before, "diagnosis", index),
        (before, "admission diagnosis", None),
    ):
        records = read_records(folder, table, stays[STAY], limit)
        found[_with(records, OUTCOMES[task.label])] = True
    return ever.astype(np.int8), before


def _matches(records: Records, pattern: str) -> NDArray[np.bool_]:
    wanted = re.compile(pattern, re.IGNORECASE)
    hits = np.array([bool(wanted.search(code)) for code in [*records.codes, ""]])
    return np.asarray(hits[records.code])


def _with(records: Records, pattern: str) -> NDArray[np.int64]:
    return records.stay[_matches(records, pattern)]


def _without(records: Records, pattern: str) -> Records:
    other = ~_matches(records, pattern)
    return Records(records.stay[other], records.code[other], records.codes)


def _token(code: str, vocabulary: Vocabulary) -> int | None:
    """Token of the code's own concept, or of its longest prefix that has one."""
    while code:
        token = vocabulary.index.get((code, "present"))
        if token is not None:
            return token
        code = code.rpartition("|")[0]
    return None


def _demographics(
    stays: pd.DataFrame, vocabulary: Vocabulary
) -> list[tuple[NDArray[np.int64], int]]:
    """Stays (their rows) at which each token of age and sex is recorded."""
    found = []
    if bins := vocabulary.bins.get(AGE):
        ages = ages_of(stays)
        known = np.flatnonzero(~np.isnan(ages))
        state = bins.state_numbers(ages[known])
        found += [
            (known[state == i], vocabulary.index[AGE, name]) for i, name in enumerate(bins.states)
        ]
    sex = stays["gender"].str.lower().to_numpy()
    found += [
        (np.flatnonzero(sex == state), vocabulary.index[SEX, state])
        for state in vocabulary.concept_states.get(SEX, ())
    ]
    return found
