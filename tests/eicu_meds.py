"""Stays of the eICU demo as events of the Medical Event Data Standard."""

from __future__ import annotations

import csv
import datetime
import gzip
from collections import Counter
from pathlib import Path

from synthea_meds import Event

FOLDER = "eicu-demo"
CODED = {  # table -> columns of the code, and of its minutes after admission
    "diagnosis": ("diagnosisstring", "diagnosisoffset"),
    "pastHistory": ("pasthistorypath", "pasthistoryenteredoffset"),
    "admissionDx": ("admitdxpath", "admitdxenteredoffset"),
}
APART = datetime.timedelta(days=120)  # of the stays of a patient in one year


def eicu_events(data: Path) -> list[tuple[Event, str | None]]:
    """Events, and the stay that each is of. The files know the year of a stay alone: the first of
    a patient begins with it."""
    found: list[tuple[Event, str | None]] = []
    numbers: dict[str, int] = {}
    stays: dict[str, tuple[int, datetime.datetime]] = {}
    earlier: Counter[tuple[int, int]] = Counter()
    rows = _rows(data, "patient")
    for row in sorted(rows, key=lambda row: (row["uniquepid"], row["hospitaldischargeyear"])):
        new = row["uniquepid"] not in numbers
        subject = numbers.setdefault(row["uniquepid"], len(numbers) + 1)
        year, stay = int(row["hospitaldischargeyear"]), row["patientunitstayid"]
        admitted = datetime.datetime(year, 1, 1) + earlier[subject, year] * APART
        earlier[subject, year] += 1
        stays[stay] = subject, admitted
        found.append(((subject, admitted, "ICU_ADMISSION", None, None), stay))
        left = admitted + datetime.timedelta(minutes=int(row["unitdischargeoffset"]))
        found.append(((subject, left, "ICU_DISCHARGE", None, None), stay))
        if new:
            age = int(row["age"].removeprefix("> ") or 0)
            born = datetime.datetime(year - age - 1, 1, 1)
            found.append(((subject, born, "MEDS_BIRTH", None, None), None))
            found.append(((subject, None, f"GENDER//{row['gender']}", None, None), None))
        if row["hospitaldischargestatus"] == "Expired":
            died = admitted + datetime.timedelta(minutes=int(row["hospitaldischargeoffset"]))
            found.append(((subject, died, "MEDS_DEATH", None, None), None))
    for table, (column, minutes) in CODED.items():
        for row in _rows(data, table):
            subject, admitted = stays[row["patientunitstayid"]]
            time = admitted + datetime.timedelta(minutes=int(row[minutes]))
            event = (subject, time, f"{table}//{row[column]}", None, None)
            found.append((event, row["patientunitstayid"]))
    return found


def _rows(data: Path, table: str) -> list[dict[str, str]]:
    with gzip.open(data / FOLDER / f"{table}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
