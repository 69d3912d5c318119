"""Synthea's patients as OMOP tables: the cohort of a plain walk, from every kind of source."""

from __future__ import annotations

import csv
import datetime
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omop_tables import Row, write
from postgresql import Server, server
from synthea import Diagnosis, Patient, diagnoses, patients
from synthea_meds import at, synthea_events, write_meds

from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.meds import read_meds
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.sites.omop import check_omop, read_omop
from concept_transfer.sites.omop_site import OmopSite
from concept_transfer.sites.tabular import read_tabular
from concept_transfer.sites.tabular_site import TabularSite

STRESS = 73595000
PARENT, CHILDREN = 900001, (444814009, 195662009, 10509002)  # infections of the airways
HORIZON = 3650  # days
TIMES = {
    "horizon_days": HORIZON,
    "after_hours": 24,
    "washout_days": 365,
    "follow_up": "not required",
}
SEX = {"M": 8507, "F": 8532}
TASK = Task(label="infection")
LARGEST = 2**31  # concept ids are 32 bit integers
CELLS = {"1": "present", "": "not recorded"}
SPLIT = SplitSettings.model_validate({"by": "folds", "folds": 5})


def vocabulary(found: list[Diagnosis]) -> Vocabulary:
    """The frequent codes, the class of infections, the sexes, and the age in two bins."""
    frequent = Counter(each.code for each in found if int(each.code) < LARGEST).most_common(30)
    codes = [code for code, _ in frequent if int(code) not in CHILDREN]
    rows = [
        (code, code, "finding", "present", code, "")
        for code in map(str, [*codes, PARENT, *SEX.values()])
    ]
    rows += [
        ("age", "age", "age", "below 40", "young", "-inf"),
        ("age", "age", "age", "40 or more", "old", "40"),
    ]
    return Vocabulary(*map(tuple, zip(*rows, strict=True)))


def omop(people: list[Patient], found: list[Diagnosis]) -> dict[str, list[Row]]:
    """Diagnoses at nine o'clock of their day; patients are observed from their birth on."""
    last = {each.number: each.death or each.birth for each in people}
    for each in found:
        last[each.patient] = max(last[each.patient], each.day)
    codes = sorted({int(each.code) for each in found if int(each.code) < LARGEST})
    numbers = count(1)

    def condition(each: Diagnosis) -> Row:
        code = int(each.code)
        return {
            "condition_occurrence_id": next(numbers),
            "person_id": each.patient,
            "condition_concept_id": code if code < LARGEST else 0,
            "condition_start_date": each.day,
            "condition_start_datetime": at(each.day, 9),
            "condition_source_value": each.code,
        }

    return {
        "cdm_source": [{"cdm_version": "5.3"}],
        "person": [
            {
                "person_id": each.number,
                "gender_concept_id": SEX[each.gender],
                "year_of_birth": each.birth.year,
                "month_of_birth": each.birth.month,
                "day_of_birth": each.birth.day,
            }
            for each in people
        ],
        "observation_period": [
            {
                "observation_period_id": each.number,
                "person_id": each.number,
                "observation_period_start_date": each.birth,
                "observation_period_end_date": last[each.number],
            }
            for each in people
        ],
        "death": [
            {
                "person_id": each.number,
                "death_date": each.death,
                "death_datetime": at(each.death, 23),
            }
            for each in people
            if each.death
        ],
        "condition_occurrence": [condition(each) for each in found],
        "concept": [
            {"concept_id": code, "concept_name": str(code), "standard_concept": "S"}
            for code in (*codes, *SEX.values(), PARENT)
        ],
        "concept_ancestor": [
            {
                "ancestor_concept_id": PARENT,
                "descendant_concept_id": child,
                "min_levels_of_separation": 1,
            }
            for child in CHILDREN
        ],
    }


def site(**place: Any) -> OmopSite:
    sets = {"stress": {"concepts": [STRESS]}, "infection": {"concepts": [PARENT]}}
    cohort = {"index": {"concept_set": "stress"}, "outcome": "infection", **TIMES}
    return OmopSite.model_validate(
        {
            "adapter": "omop",
            "concept_sets": sets,
            "cohort": cohort,
            "descendants": True,
            "age": "age",
            "domains": ["condition", "person"],
            **place,
        }
    )


def wide(people: list[Patient], found: list[Diagnosis], words: Vocabulary) -> list[dict[str, str]]:
    """A row a patient, worked out patient by patient and day by day."""
    children, rows = set(map(str, CHILDREN)), []
    for person in people:
        own = [each for each in found if each.patient == person.number]
        stress = [each.day for each in own if each.code == str(STRESS)]
        if not stress:
            continue
        index = min(stress) + datetime.timedelta(days=1)
        infections = [(each.day - index).days for each in own if each.code in children]
        seen = max([each.day for each in own] + [person.death or person.birth]) >= index
        dead = person.death is not None and person.death < index
        if not seen or dead or any(-365 <= day < 0 for day in infections):
            continue
        before = {each.code for each in own if each.day < index} | {str(SEX[person.gender])}
        before |= {str(PARENT)} if before & children else set()
        born = at(person.birth, 0)
        age = (at(index, 9) - born) / datetime.timedelta(days=365.25)
        rows.append(
            {
                "id": f"{person.number}@{index.isoformat()}T09:00:00",
                "patient": str(person.number),
                "day": index.isoformat(),
                "label": str(int(any(0 <= day <= HORIZON for day in infections))),
                "age": repr(age),
                **{code: "1" if code in before else "" for code in words.concepts if code != "age"},
            }
        )
    return sorted(rows, key=lambda row: int(row["patient"]))


@pytest.fixture(scope="module")
def found(shared_data: Path) -> list[Diagnosis]:
    return diagnoses(shared_data)


@pytest.fixture(scope="module")
def people(shared_data: Path) -> list[Patient]:
    return patients(shared_data)


@pytest.fixture(scope="module")
def tabular(
    people: list[Patient], found: list[Diagnosis], tmp_path_factory: pytest.TempPathFactory
) -> Extract:
    folder = tmp_path_factory.mktemp("wide")
    words = vocabulary(found)
    rows = wide(people, found, words)
    with (folder / "wide.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    section = {
        "adapter": "tabular",
        "path": "wide.csv",
        "label": {"column": "label", "positive": ["1"], "negative": ["0"]},
        "encounter": "id",
        "patient": "patient",
        "time": "day",
    }
    return read_tabular(TabularSite.model_validate(section), words, TASK, folder)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    with server() as running:
        yield running


def same(one: Extract, other: Extract) -> None:
    """Encounters, labels, tokens and splits."""
    assert one.encounters.table.equals(other.encounters.table)
    assert one.inputs["findings"].equals(other.inputs["findings"])
    splits = [make_split(each.encounters, SPLIT, 1, "site") for each in (one, other)]
    for name in ("encounter", "cluster", "label", "fold", "validation"):
        np.testing.assert_array_equal(*(getattr(split, name) for split in splits))


@pytest.mark.parametrize("kind", ["parquet", "csv", "duckdb"])
def test_the_cohort_is_that_of_the_wide_table(
    people: list[Patient], found: list[Diagnosis], tabular: Extract, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / ("cdm.duckdb" if kind == "duckdb" else "cdm")
    write(omop(people, found), place, kind)
    made = read_omop(site(path=str(place)), vocabulary(found), TASK, Path("/"))
    same(made, tabular)
    assert 100 < made.encounters.labels.sum() < len(made) - 100
    long = Counter(each.code for each in found if int(each.code) >= LARGEST)
    assert long
    unmapped = {code for code in made.report["unmapped"] if code.startswith("0 ")}
    assert unmapped <= {f"0 ({code})" for code in long}
    assert unmapped


def test_the_cohort_is_that_of_meds(
    shared_data: Path, found: list[Diagnosis], tabular: Extract, tmp_path: Path
) -> None:
    words = vocabulary(found)
    codes = {f"SNOMED/{concept}": concept for concept in words.concept_states}
    codes |= {f"SNOMED/{child}": str(PARENT) for child in CHILDREN}
    codes |= {f"GENDER//{letter}": str(concept) for letter, concept in SEX.items()}
    lines = [f"{code}\t{concept}" for code, concept in codes.items() if concept != "age"]
    (tmp_path / "codes.tsv").write_text("\n".join(["site_code\tconcept", *lines]) + "\n")
    write_meds(tmp_path / "meds", synthea_events(shared_data))
    cohort = {
        "index": [f"SNOMED/{STRESS}"],
        "outcome": [f"SNOMED/{child}" for child in CHILDREN],
        **TIMES,
    }
    section = {"adapter": "meds", "path": "meds", "crosswalk": "codes.tsv", "age": "age"}
    meds = MedsSite.model_validate(section | {"cohort": cohort})
    same(read_meds(meds, words, TASK, tmp_path), tabular)


def test_the_cohort_comes_from_postgresql_and_its_password_stays_secret(
    people: list[Patient],
    found: list[Diagnosis],
    tabular: Extract,
    postgresql: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write(omop(people, found), postgresql.url, "postgresql")
    monkeypatch.setenv("CDM_URL", postgresql.url)
    words = vocabulary(found)
    schemas = {"cdm_schema": "cdm", "vocabulary_schema": "vocabulary"}
    given = site(database={"url_from": "CDM_URL"}, **schemas)
    check_omop(given, words, TASK, Path("/"))
    made = read_omop(given, words, TASK, Path("/"))
    same(made, tabular)
    made.write(tmp_path / "encounters" / "here", words)
    here = {file: file.read_bytes() for file in (tmp_path / "encounters" / "here").iterdir()}
    assert not any(postgresql.password.encode() in content for content in here.values())

    with pytest.raises(StudyError, match=r"\$CDM_URL has no schema 'cmd'.*cdm, .*vocabulary"):
        check_omop(site(database={"url_from": "CDM_URL"}, cdm_schema="cmd"), words, TASK, Path("/"))
    monkeypatch.setenv("CDM_URL", postgresql.url.replace("sesame", "barley"))
    with pytest.raises(StudyError, match=r"CDM_URL cannot be connected to.*authentication") as told:
        check_omop(given, words, TASK, Path("/"))
    assert "barley" not in str(told.value)
    monkeypatch.setenv("CDM_URL", postgresql.url)

    from concept_transfer.sites import omop as adapter

    views = adapter.make_views

    def gone(*arguments: Any) -> None:
        postgresql.stop()
        views(*arguments)

    monkeypatch.setattr(adapter, "make_views", gone)
    with pytest.raises(StudyError, match=r"database of \$CDM_URL.*start again") as told:
        read_omop(given, words, TASK, Path("/"))
    assert postgresql.password not in str(told.value) + "".join(capfd.readouterr())
    assert {file: file.read_bytes() for file in here} == here
    with pytest.raises(StudyError, match=r"CDM_URL cannot be connected to.*runs"):
        check_omop(given, words, TASK, Path("/"))
