"""Histories of eICU's stays, against a walk from record to record."""

from __future__ import annotations

import datetime
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_eicu import TABLES, TASK, read, site, write
from test_histories import rows_of

from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import History
from concept_transfer.settings.task import Task
from concept_transfer.sites.eicu_histories import read_histories
from concept_transfer.sites.eicu_site import TABLES as RECORDED
from concept_transfer.sites.eicu_site import EicuSite
from concept_transfer.sites.eicu_vocabulary import draft
from concept_transfer.sites.histories import Histories
from concept_transfer.sites.reading import read_site

ACUTE, CHRONIC = "diagnosis|renal|failure|acute", "diagnosis|renal|failure|chronic"
VIRAL = "diagnosis|pulmonary|infections|pneumonia|viral"
BURNS, SEPSIS = "admission diagnosis|All|Burns", "admission diagnosis|All|Sepsis, GI"
DAY = 1440


def made(folder: Path, label: str = "mortality", **changes: Any) -> Histories:
    config = site(**changes)
    extract = read(config, folder, label)
    return read_histories(config, extract.encounters, Task(label=label), folder)


def told(history: History) -> list[list[tuple[str, int, float]]]:
    """Of each row its codes, their visits, and the days before the index time."""
    return [
        [(code, visit, round(days, 4)) for code, visit, days, _ in row] for row in rows_of(history)
    ]


def test_a_history_is_what_was_recorded_before_at_the_stay_and_earlier(tmp_path: Path) -> None:
    """p1 was in the unit in 2014 and, after 300 minutes in hospital, in 2015."""
    histories = made(write(tmp_path))
    year = 365 + 300 / DAY
    assert told(histories.cohort)[1] == [
        ("sex|female", 0, pytest.approx(np.nan, nan_ok=True)),
        (ACUTE, 1, round(year + 1 - 5 / DAY, 4)),
        (CHRONIC, 2, round(year, 4)),
        (CHRONIC, 3, round(1 / DAY, 4)),
    ]
    assert [code for code, *_ in told(histories.cohort)[0]] == ["sex|female", ACUTE]
    assert [code for code, *_ in told(histories.cohort)[2]][:2] == [
        "sex|male",
        "diagnosis|burns|hand",
    ]
    assert [visit for _, visit, _ in told(histories.cohort)[2]] == [0, 1, 2]  # before admission
    ages = [age for *_, age in rows_of(histories.cohort)[1][1:]]
    assert ages == pytest.approx([44 + 0.18, 44 + 0.18, 45], abs=0.82)
    assert ages[2] - ages[0] == pytest.approx((365 + 1 + 294 / DAY) / 365.25, abs=0.01)
    days = histories.cohort.index_days
    new_year = (datetime.date(2015, 1, 1) - datetime.date(2000, 1, 1)).days
    assert days[1] == pytest.approx(new_year + 300 / DAY + 1)


def test_records_of_patients_are_whole_and_of_the_site(tmp_path: Path) -> None:
    histories = made(write(tmp_path))
    assert histories.patient_ids.to_pylist() == ["p1", "p2", "p3"]  # the others have no record
    whole = [code for code, *_ in told(histories.patients)[0]]
    assert whole == ["sex|female", ACUTE, CHRONIC, CHRONIC, SEPSIS, VIRAL]
    assert made(tmp_path, hospitals=[1]).patient_ids.to_pylist() == ["p1", "p3"]


def test_admissions_of_one_year_are_no_past_of_each_other(tmp_path: Path) -> None:
    """Their order is not known; that of two stays of one admission is."""
    patients = TABLES["patient"].copy()
    patients.loc[1, "hospitaldischargeyear"] = 2014
    histories = made(write(tmp_path, patient=patients))
    assert [code for code, *_ in told(histories.cohort)[1]] == ["sex|female", CHRONIC]
    patients.loc[1, "patienthealthsystemstayid"] = patients.loc[0, "patienthealthsystemstayid"]
    histories = made(write(tmp_path, patient=patients))
    first, second = told(histories.cohort)[:2]
    assert [code for code, *_ in first] == ["sex|female", ACUTE]
    assert [code for code, *_ in second] == ["sex|female", ACUTE, CHRONIC, CHRONIC]


def test_codes_that_tell_the_outcome_are_no_history(tmp_path: Path) -> None:
    histories = made(write(tmp_path), "sepsis")
    names = {code for row in told(histories.cohort) for code, *_ in row}
    assert not any("sepsis" in name.lower() for name in names if "past history" not in name)
    assert any("sepsis" in name for name in names)  # past history
    assert SEPSIS in histories.patients.names


def test_other_tables_have_histories(tmp_path: Path) -> None:
    labs = pd.DataFrame(
        [(11, 9, "potassium"), (11, 1440, "sodium"), (11, 10, "potassium")],
        columns=["patientunitstayid", "labresultoffset", "labname"],
    )
    histories = made(write(tmp_path, lab=labs), tables=["treatment", "lab"])
    codes = ["sex|female", "treatment|pulmonary|oxygen", "lab|POTASSIUM", "lab|POTASSIUM"]
    assert [code for code, *_ in told(histories.cohort)[0]] == codes


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    for column, value, said in (
        ("hospitaldischargeyear", "", r"column 'hospitaldischargeyear': the value is no year"),
        ("hospitaladmitoffset", "soon", r"column 'hospitaladmitoffset': the value is no number"),
    ):
        patients = TABLES["patient"].astype(object)
        patients.loc[2, column] = value
        with pytest.raises(StudyError, match=said):
            made(write(tmp_path, patient=patients))
    extract = read(site(), write(tmp_path))
    (tmp_path / "patient.csv.gz").unlink()
    write(tmp_path, patient=TABLES["patient"].drop(1).astype(str))
    with pytest.raises(StudyError, match=r"lacks some of the 4 stays of encounters\.parquet"):
        read_histories(site(), extract.encounters, TASK, tmp_path)


def test_the_real_demo(shared_data: Path, tmp_path: Path) -> None:
    """Codes and minutes of the histories of a region's stays against a walk over pandas' rows."""
    folder = shared_data / "eicu-demo"
    tables = ["diagnosis", "admission diagnosis", "treatment"]
    config = EicuSite.model_validate(
        {"adapter": "eicu", "path": str(folder), "region": "Northeast", "tables": tables}
    )
    extract = read_site(config, draft(folder), TASK, tmp_path)
    histories = read_histories(config, extract.encounters, TASK, tmp_path)
    patients = pd.read_csv(folder / "patient.csv.gz").set_index("patientunitstayid")
    regions = pd.read_csv(folder / "hospital.csv.gz").set_index("hospitalid")["region"]
    patients = patients[patients["hospitalid"].map(regions) == "Northeast"]
    events = defaultdict(set)
    for name in tables:
        table = RECORDED[name]
        rows = pd.read_csv(folder / f"{table.file}.csv.gz")
        for stay, minutes, code in rows[[rows.columns[1], table.minutes, table.code]].to_numpy():
            text = " ".join(str(code).replace(table.prefix, "").split())
            events[stay].add((int(minutes), f"{name}|{text}"))
    stays = [int(stay) for stay in extract.encounters.table["encounter"].to_pylist()]
    some = 0
    for stay, row in zip(stays, rows_of(histories.cohort), strict=True):
        own = patients.loc[stay]
        expected = []
        for other, row_of in patients[patients["uniquepid"] == own["uniquepid"]].iterrows():
            apart = own["hospitaladmitoffset"] - row_of["hospitaladmitoffset"]
            earlier = row_of["hospitaldischargeyear"] < own["hospitaldischargeyear"]
            same = row_of["patienthealthsystemstayid"] == own["patienthealthsystemstayid"]
            if same and apart <= 0:
                here = [(m + apart, code) for m, code in events[other] if m + apart < DAY]
                expected += [(code, DAY - m) for m, code in here]
            elif earlier:
                expected += [(code, None) for _, code in events[other]]
        found = [(code, round(days * DAY)) for code, visit, days, _ in row if visit]
        exact = [event for event in expected if event[1] is not None]
        assert sorted(code for code, _ in found) == sorted(code for code, _ in expected)
        assert not sorted(set(exact) - set(found))
        some += len(exact) < len(expected)
    assert some > 0
