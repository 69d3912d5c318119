"""Adapter of NHAMCS: US emergency-department visits of one census region.

The National Hospital Ambulatory Medical Care Survey's public-use files (NCHS, CDC), one a year,
Stata or ASCII. Visits carry no patient id, so hospital x year is the cluster; hospital codes
are valid within their year only. Survey weights are not used: a model is tuned and tested on
visits, and nothing is claimed about the nation.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.code_use import code_use, fate_of
from concept_transfer.sites.codes import crosswalk_of, token_pairs, tokens_of
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.nhamcs_files import (
    DIAGNOSES,
    FLU_TEST,
    REASONS,
    check_year,
    read_year,
)
from concept_transfer.sites.nhamcs_site import NhamcsSite
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.tokens import token_rows

if TYPE_CHECKING:
    import pandas as pd

REGIONS = {"Northeast": 1, "Midwest": 2, "South": 3, "West": 4}
FIRST_YEAR = 2010
ICD_10_YEAR = 2016
INFLUENZA_9, INFLUENZA_10 = ("487", "488"), ("J09", "J10", "J11")
RESPIRATORY = ((10050, 10123), (14000, 14859))
REASON = "RFV"
TEMPERATURE, AGE = "C0424781", "agegroup"


def check_nhamcs(site: NhamcsSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check label, years, files and vocabulary without reading a row (StudyError)."""
    if task.label != "influenza":
        raise StudyError(
            f"task.label is '{task.label}', but the adapter labels visits by influenza"
        )
    if len(task.class_names) != 2:
        raise StudyError(
            f"task.classes has {len(task.class_names)} names, but the adapter tells two classes "
            "apart: visits without and with influenza"
        )
    for year in site.years:
        if year < FIRST_YEAR:
            raise StudyError(
                f"years: the adapter reads survey years from {FIRST_YEAR} on, and {year} is before"
            )
        check_year(site, year, root)
    if site.crosswalk is not None:
        Crosswalk.read(resolve(site.crosswalk, root), vocabulary).require_tokens()
    elif not any(concept.startswith(REASON) for concept in vocabulary.concept_states):
        raise StudyError(
            "the vocabulary has no reason for visit (concepts RFV and a 5-digit code, such as "
            "RFV14400 for cough); use resources/concepts/nhamcs-reasons.tsv, or map reasons to "
            "the vocabulary's concepts in a 'crosswalk'"
        )


def read_nhamcs(site: NhamcsSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Visits of a region: label is a diagnosis of influenza, any of three (until 2013) or five:
    ICD-9-CM 487 or 488 until 2015, ICD-10-CM J09-J11 then.

    Findings are the reasons for visit (complaints: present or nothing), the temperature grade,
    the age group, and whether an influenza test was done. Time is the first day of the month
    of the visit, which is all the files tell. Raises StudyError.
    """
    import pandas as pd

    check_nhamcs(site, vocabulary, task, root)
    visits = pd.concat([read_year(site, year, root) for year in site.years], ignore_index=True)
    rows_read = len(visits)
    elsewhere = visits["REGION"] != REGIONS[site.region]
    other = (
        ~elsewhere & ~_respiratory(visits) if site.cohort == "respiratory" else elsewhere & False
    )
    visits = visits[~elsewhere & ~other].reset_index(drop=True)

    recorded = _recorded(visits)

    def by_name(code: str) -> int | None:
        concept, _, state = code.partition(":")
        return vocabulary.index.get((concept, state or "present"))

    tokens = tokens_of(list(recorded), crosswalk_of(site, vocabulary, root), by_name)
    encounter, token = token_pairs(recorded, tokens)
    reasons, fields = (
        code_use(
            (
                (code, fate_of(tokens.get(code)), rows)
                for code, rows in recorded.items()
                if code.startswith(REASON) == wanted
            ),
            len(visits),
        )
        for wanted in (True, False)
    )
    table = encounter_table(
        encounter=[
            f"{year}-{row}" for year, row in zip(visits["YEAR"], visits["ROW"], strict=True)
        ],
        cluster=[
            f"{year}-{hospital}"
            for year, hospital in zip(visits["YEAR"], visits["HOSPCODE"], strict=True)
        ],
        label=_influenza(visits).astype(np.int8),
        time=[
            datetime.date(year, month, 1)
            for year, month in zip(visits["YEAR"], visits["VMONTH"], strict=True)
        ],
    )
    encounters = Encounters(table)
    findings = token_rows(encounter, token, len(visits), vocabulary, task)
    report = ingest_report(
        encounters,
        rows_read,
        dropped={
            "another region": int(elsewhere.sum()),
            "no fever or respiratory reason for visit": int(other.sum()),
        },
        unmapped=reasons.unmapped + fields.unmapped,
        not_recorded={
            concept: len(visits)
            - len(np.unique(encounter[np.isin(token, _tokens_of(concept, vocabulary))]))
            for concept in (TEMPERATURE, AGE, FLU_TEST)
            if concept in vocabulary.concept_states
        },
        mapping=reasons.mapping(),
    )
    return Extract(encounters, {"findings": findings}, report)


def _present(visits: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in visits]


def _respiratory(visits: pd.DataFrame) -> pd.Series[bool]:
    reasons = visits[_present(visits, REASONS)]
    within = [(reasons >= low) & (reasons <= high) for low, high in RESPIRATORY]
    return (within[0] | within[1]).any(axis=1)


def _influenza(visits: pd.DataFrame) -> NDArray[np.bool_]:
    old = visits["YEAR"] < ICD_10_YEAR
    codes = [visits[name].astype(str).str for name in _present(visits, DIAGNOSES)]
    influenza = [
        np.where(old, code.startswith(INFLUENZA_9), code.startswith(INFLUENZA_10)) for code in codes
    ]
    return np.asarray(np.logical_or.reduce(influenza))


def _tokens_of(concept: str, vocabulary: Vocabulary) -> list[int]:
    return [vocabulary.index[concept, state] for state in vocabulary.concept_states[concept]]


def _recorded(visits: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Code -> rows (from 0) at which the files record it; a field's code is ``concept:state``."""
    reasons = visits[_present(visits, REASONS)].to_numpy()
    recorded = {
        f"{REASON}{int(code):05d}": np.flatnonzero((reasons == code).any(axis=1))
        for code in np.unique(reasons[reasons > 0])
    }
    fahrenheit = visits["TEMPF"].fillna(-1) / 10
    age = visits["AGE"].fillna(-1)
    masks = {
        (TEMPERATURE, "high"): fahrenheit >= 104,
        (TEMPERATURE, "low"): (fahrenheit >= 100.4) & (fahrenheit < 104),
        (TEMPERATURE, "inconsequential"): (fahrenheit >= 0) & (fahrenheit < 100.4),
        (TEMPERATURE, "no information"): fahrenheit < 0,
        (AGE, "child"): (age >= 0) & (age < 5),
        (AGE, "school age"): (age >= 5) & (age < 18),
        (AGE, "adult"): (age >= 18) & (age < 65),
        (AGE, "elderly"): age >= 65,
    }
    if FLU_TEST in visits:
        masks |= {
            (FLU_TEST, "present"): visits[FLU_TEST] == 1,
            (FLU_TEST, "absent"): visits[FLU_TEST] == 0,
        }
    return recorded | {
        f"{concept}:{state}": np.flatnonzero(mask) for (concept, state), mask in masks.items()
    }
