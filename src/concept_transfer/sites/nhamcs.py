"""Adapter of NHAMCS: US emergency-department visits of one census region.

The National Hospital Ambulatory Medical Care Survey's public-use files (NCHS, CDC), one zipped
Stata file a year. Visits carry no patient id, so hospital x year is the cluster; hospital codes
are valid within their year only. Survey weights are not used: a model is tuned and tested on
visits, and nothing is claimed about the nation.
"""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterable
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
from concept_transfer.sites.download import fetch
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.nhamcs_site import NhamcsSite, year_file
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.tokens import token_rows

if TYPE_CHECKING:
    import pandas as pd

REGIONS = {"Northeast": 1, "Midwest": 2, "South": 3, "West": 4}
FIRST_YEAR = 2016
REASONS = tuple(f"RFV{i}" for i in range(1, 6))
DIAGNOSES = tuple(f"DIAG{i}" for i in range(1, 6))
REQUIRED = ("VMONTH", "REGION", "HOSPCODE", "AGE", "TEMPF", "RFV1", "DIAG1")
INFLUENZA = ("J09", "J10", "J11")
RESPIRATORY = ((10050, 10123), (14000, 14859))
REASON = "RFV"
TEMPERATURE, AGE, FLU_TEST = "C0424781", "agegroup", "FLUTEST"


def fetch_file(site: NhamcsSite, file: str, root: Path) -> Path:
    """One of the site's files, by its name (StudyError)."""
    year = re.search(r"ed(\d{4})-stata", Path(file).name)
    assert year, f"{file} is no file of an NHAMCS site"
    return fetch_year(site, int(year[1]), root)


def fetch_year(site: NhamcsSite, year: int, root: Path) -> Path:
    """The file of a year, fetched from `download_from` if the folder lacks it (StudyError)."""
    path = year_file(resolve(site.path, root), year)
    if not path.is_file():
        if site.download_from is None:
            raise _missing(path, year)
        base = site.download_from.rstrip("/")
        fetch([f"{base}/ed{year}-stata.zip", f"{base}/ED{year}-stata.zip"], path)
    return path


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
                f"years: {year} codes diagnoses in ICD-9-CM; the adapter reads ICD-10-CM, so "
                f"years from {FIRST_YEAR} on are accepted"
            )
        path = year_file(resolve(site.path, root), year)
        if not path.is_file() and site.download_from is None:
            raise _missing(path, year)
    if site.crosswalk is not None:
        Crosswalk.read(resolve(site.crosswalk, root), vocabulary).require_tokens()
    elif not any(concept.startswith(REASON) for concept in vocabulary.concept_states):
        raise StudyError(
            "the vocabulary has no reason for visit (concepts RFV and a 5-digit code, such as "
            "RFV14400 for cough); use resources/concepts/nhamcs-reasons.tsv, or map reasons to "
            "the vocabulary's concepts in a 'crosswalk'"
        )


def read_nhamcs(site: NhamcsSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Visits of a region: label is a diagnosis of influenza (ICD-10-CM J09-J11, any of five).

    Findings are the reasons for visit (complaints: present or nothing), the temperature grade,
    the age group, and whether an influenza test was done. Time is the first day of the month
    of the visit, which is all the files tell. Raises StudyError.
    """
    import pandas as pd

    check_nhamcs(site, vocabulary, task, root)
    folder = resolve(site.path, root)
    visits = pd.concat(
        [_read_year(year_file(folder, year), year) for year in dict.fromkeys(site.years)],
        ignore_index=True,
    )
    rows_read = len(visits)
    elsewhere = visits["REGION"] != REGIONS[site.region]
    other = (
        ~elsewhere & ~_respiratory(visits) if site.cohort == "respiratory" else elsewhere & False
    )
    visits = visits[~elsewhere & ~other].reset_index(drop=True)

    recorded = _recorded(visits)
    crosswalk = _crosswalk(site, vocabulary, root)
    tokens_of = _tokens_of_codes(recorded, crosswalk, vocabulary)
    pairs = [(rows, token) for code, rows in recorded.items() for token in tokens_of.get(code, ())]
    encounter = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in pairs)])
    token = np.repeat(
        np.array([token for _, token in pairs], np.int64), [len(rows) for rows, _ in pairs]
    )
    reasons, fields = (
        code_use(
            (
                (code, fate_of(tokens_of.get(code)), rows)
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


def _read_year(path: Path, year: int) -> pd.DataFrame:
    """The columns the adapter uses, in upper case, with YEAR and ROW (from 1)."""
    import pandas as pd

    if not path.is_file():
        raise _missing(path, year)
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.lower().endswith(".dta"))
            with (
                archive.open(member) as file,
                pd.read_stata(file, iterator=True, convert_categoricals=False) as reader,
            ):
                wanted = {*REQUIRED, *REASONS, *DIAGNOSES, FLU_TEST}
                names = {n.upper(): n for n in reader.variable_labels() if n.upper() in wanted}
                missing = [column for column in REQUIRED if column not in names]
                if missing:
                    raise StudyError(
                        f"{path} lacks the column(s) {', '.join(missing)}; it must be the "
                        f"emergency-department file of {year}"
                    )
                frame: pd.DataFrame = reader.read(columns=list(names.values()))  # type: ignore[attr-defined]
    except (zipfile.BadZipFile, StopIteration, ValueError) as error:
        raise StudyError(
            f"{path} is not the CDC's zipped Stata file of {year} ({error or 'no .dta inside'}); "
            "delete it and fetch it again"
        ) from None
    frame.columns = frame.columns.str.upper()
    return frame.assign(YEAR=year, ROW=np.arange(1, len(frame) + 1))


def _present(visits: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in visits]


def _respiratory(visits: pd.DataFrame) -> pd.Series[bool]:
    reasons = visits[_present(visits, REASONS)]
    within = [(reasons >= low) & (reasons <= high) for low, high in RESPIRATORY]
    return (within[0] | within[1]).any(axis=1)


def _influenza(visits: pd.DataFrame) -> NDArray[np.bool_]:
    codes = [visits[name].astype(str) for name in _present(visits, DIAGNOSES)]
    return np.asarray(np.logical_or.reduce([code.str.startswith(INFLUENZA) for code in codes]))


def _crosswalk(site: NhamcsSite, vocabulary: Vocabulary, root: Path) -> Crosswalk | None:
    return Crosswalk.read(resolve(site.crosswalk, root), vocabulary) if site.crosswalk else None


def _tokens_of(concept: str, vocabulary: Vocabulary) -> list[int]:
    return [vocabulary.index[concept, state] for state in vocabulary.concept_states[concept]]


def _tokens_of_codes(
    codes: Iterable[str], crosswalk: Crosswalk | None, vocabulary: Vocabulary
) -> dict[str, list[int]]:
    """Code -> its tokens, none where the crosswalk sets it aside; codes that mean nothing lack.

    A code that the crosswalk does not know is the concept (and state) of its name, if there is one.
    """
    tokens_of: dict[str, list[int]] = {}
    for code in codes:
        concept, _, state = code.partition(":")
        token = vocabulary.index.get((concept, state or "present"))
        if token is not None:
            tokens_of[code] = [token]
    if crosswalk is not None:
        names = list(codes)
        tokens_of |= {names[i]: [] for i in np.flatnonzero(crosswalk.known(names))}
        for position, token in zip(*crosswalk.tokens(names), strict=True):
            tokens_of[names[position]].append(int(token))
    return tokens_of


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


def _missing(path: Path, year: int) -> StudyError:
    return StudyError(
        f"{path} does not exist; put the CDC's zipped Stata file of {year} there "
        f"(ed{year}-stata.zip, in upper or lower case), or give 'download_from'"
    )
