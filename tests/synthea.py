"""The 564 simulated patients of Synthea, as the tests' own converters read them.

Numbers stand for the file's identifiers, in their order, so that every converter writes the same.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FOLDER = "synthea500"


class Patient(NamedTuple):
    number: int
    birth: datetime.date
    death: datetime.date | None
    race: str
    ethnicity: str
    gender: str  # F or M


class Diagnosis(NamedTuple):
    patient: int
    visit: int
    day: datetime.date
    code: str  # SNOMED CT


def patients(data: Path) -> list[Patient]:
    """All patients, by number."""
    rows = _rows(data, "synthea500.patients_info.csv")
    numbers = _numbers(row["PID"] for row in rows)
    found = [
        Patient(
            numbers[row["PID"]],
            datetime.date.fromisoformat(row["DATE_OF_BIRTH"]),
            _day(row["DATE_OF_DEATH"]),
            row["RACE"],
            row["ETHNICITY"],
            row["GENDER"],
        )
        for row in rows
    ]
    return sorted(found)


def diagnoses(data: Path) -> list[Diagnosis]:
    """All diagnoses of known patients (one has no row among them), by patient and visit."""
    known = _numbers(row["PID"] for row in _rows(data, "synthea500.patients_info.csv"))
    rows = _rows(data, "synthea500.concept.diagnose.csv")
    visits = _numbers(row["ADMISSION_ID"] for row in rows)
    return sorted(
        Diagnosis(
            known[row["PID"]],
            visits[row["ADMISSION_ID"]],
            datetime.date.fromisoformat(row["TIMESTAMP"]),
            row["CONCEPT"],
        )
        for row in rows
        if row["PID"] in known
    )


def _rows(data: Path, name: str) -> list[dict[str, str]]:
    with (data / FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(set(names)), start=1)}


def _day(text: str) -> datetime.date | None:
    return datetime.date.fromisoformat(text[:10]) if text else None
