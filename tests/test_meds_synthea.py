"""Synthea's patients as MEDS: one cohort by codes, labels and ACES, and as a wide table."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import meds
import pyarrow.parquet as pq
import pytest
import yaml
from synthea import Patient, diagnoses, patients
from synthea_meds import at, synthea_events, write_labels, write_meds

from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.events.database import database
from concept_transfer.events.meds.dataset import Dataset
from concept_transfer.events.vocabulary_draft import draft
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.sites.tabular_site import TabularSite

TASK = Task(label="sinusitis")
REVIEW, SINUSITIS, STRESS = "314529007", "444814009", "73595000"
COHORT = {
    "index": [f"SNOMED/{STRESS}"],
    "outcome": [f"SNOMED/{SINUSITIS}"],
    "which": "every",
    "horizon_days": 730,
    "follow_up": "not required",
}
ACES = {
    "predicates": {
        "stress": {"code": f"SNOMED/{STRESS}"},
        "sinusitis": {"code": f"SNOMED/{SINUSITIS}"},
    },
    "trigger": "stress",
    "windows": {
        "input": {
            "start": None,
            "end": "trigger",
            "start_inclusive": True,
            "end_inclusive": False,
            "index_timestamp": "end",
            "has": {"sinusitis": "(None, 0)"},
        },
        "risk": {
            "start": "trigger",
            "end": "start + 730d",
            "start_inclusive": True,
            "end_inclusive": True,
            "label": "sinusitis",
        },
    },
}
AGES = [(f"{low} or more", str(low)) for low in (18, 40, 65)]


class Row(NamedTuple):
    patient: Patient
    day: datetime.date
    label: bool
    codes: set[str]


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[Row]:
    """The cohort by a walk from patient to patient that knows nothing of the library."""
    found = []
    events: dict[int, list[tuple[datetime.date, str]]] = {}
    for each in diagnoses(shared_data):
        events.setdefault(each.patient, []).append((each.day, each.code))
    for patient in patients(shared_data):
        own = events.get(patient.number, [])
        flu = [day for day, code in own if code == SINUSITIS]
        for index in sorted({day for day, code in own if code == STRESS}):
            if all(day >= index for day in flu):
                label = any((day - index).days <= 730 for day in flu)
                codes = {code for day, code in own if day < index}
                found.append(Row(patient, index, label, codes))
    return found


@pytest.fixture(scope="module")
def dataset(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("meds") / "synthea"
    texts = {f"SNOMED/{SINUSITIS}": "Viral sinusitis (disorder)"}
    return write_meds(folder, synthea_events(shared_data), texts, splits=splits(shared_data))


def splits(shared_data: Path) -> dict[int, str]:
    names = ("train", "train", "tuning", "held_out")
    return {each.number: names[each.number % 4] for each in patients(shared_data)}


@pytest.fixture(scope="module")
def words(dataset: Path) -> Vocabulary:
    """Drafted from the dataset, with bins of the age."""
    given = Dataset(dataset, None)
    with database() as db:
        given.load(db, 0)
        described = {code: text for code, (text, _) in given.descriptions(db).items()}
        made = draft(db, described, 11).vocabulary
    ages = [("below 18", "-inf"), *AGES]
    columns = [getattr(made, name) for name in ("concepts", "names", "categories")]
    tokens = list(zip(*columns, made.states, made.texts, [""] * len(made), strict=True))
    tokens += [("age", "age", "person", state, f"age {state}", low) for state, low in ages]
    return Vocabulary(*map(tuple, zip(*tokens, strict=True)))


def read(folder: Path, words: Vocabulary, **cohort: Any) -> Extract:
    values = {"adapter": "meds", "path": str(folder), "age": "age"}
    site = MedsSite.model_validate(values | cohort)
    check_site(site, words, TASK, folder.parent)
    return read_site(site, words, TASK, folder.parent)


def test_synthea_is_valid_meds(dataset: Path) -> None:
    for file in sorted((dataset / "data").rglob("*.parquet")):
        meds.DataSchema.validate(pq.read_table(file))
    meds.CodeMetadataSchema.validate(pq.read_table(dataset / "metadata/codes.parquet"))
    meds.SubjectSplitSchema.validate(pq.read_table(dataset / "metadata/subject_splits.parquet"))


def test_a_vocabulary_is_drafted_of_what_is_not_rare(words: Vocabulary, shared_data: Path) -> None:
    having: dict[str, set[int]] = {}
    for each in diagnoses(shared_data):
        having.setdefault(f"SNOMED/{each.code}", set()).add(each.patient)
    expected = {code for code, own in having.items() if len(own) >= 11}
    drafted = [c for c in words.concept_states if c.startswith("SNOMED/")]
    assert set(drafted) == expected
    assert drafted == sorted(drafted, key=lambda code: (-len(having[code]), code))
    token = words.token(f"SNOMED/{SINUSITIS}", "present")
    assert words.texts[token] == "Viral sinusitis (disorder)"
    assert words.categories[token] == "snomed"


def test_the_cohort_is_that_of_a_plain_walk(
    rows: list[Row], dataset: Path, words: Vocabulary
) -> None:
    extract = read(dataset, words, cohort=COHORT)
    table = extract.encounters.table
    assert table["patient"].to_pylist() == [str(row.patient.number) for row in rows]
    assert table["time"].to_pylist() == [row.day for row in rows]
    assert extract.encounters.labels.tolist() == [row.label for row in rows]
    assert 30 < sum(row.label for row in rows) < len(rows)
    gender = {"F": "GENDER//F", "M": "GENDER//M"}
    for tokens, row in zip(extract.inputs["findings"], rows, strict=True):
        found = {words.concepts[token] for token in tokens} - {"age"}
        codes = {f"SNOMED/{code}" for code in row.codes}
        codes |= {gender[row.patient.gender], f"RACE//{row.patient.race}"}
        assert found == codes & words.concept_states.keys()


def test_labels_and_aces_make_the_same_cohort(
    rows: list[Row], dataset: Path, words: Vocabulary, tmp_path: Path
) -> None:
    pytest.importorskip("aces", reason="needs es-aces")
    task = tmp_path / "task.yaml"
    task.write_text(yaml.safe_dump(ACES, sort_keys=False))
    given = [(row.patient.number, at(row.day, 9), row.label) for row in rows]
    labels = write_labels(tmp_path / "labels.parquet", given)
    meds.LabelSchema.validate(pq.read_table(labels))
    by_codes = read(dataset, words, cohort=COHORT)
    for cohort in ({"labels": str(labels)}, {"aces": str(task)}):
        extract = read(dataset, words, **cohort)
        assert extract.encounters.table.equals(by_codes.encounters.table)
        assert extract.inputs["findings"].equals(by_codes.inputs["findings"])


def test_a_wide_table_gives_the_same_site(
    rows: list[Row], dataset: Path, words: Vocabulary, shared_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "wide.csv"
    write_wide(path, rows, words, splits(shared_data))
    columns = {key: key for key in ("encounter", "patient", "time", "partition")}
    label = {"column": "label", "positive": ["1"], "negative": ["0"]}
    values = {"adapter": "tabular", "path": str(path), "label": label, **columns}
    wide = read_site(TabularSite.model_validate(values), words, TASK, tmp_path)
    extract = read(dataset, words, cohort=COHORT)
    assert wide.encounters.table.equals(extract.encounters.table)
    assert wide.inputs["findings"].equals(extract.inputs["findings"])
    for split in ({"by": "given"}, {"by": "folds", "folds": 3}, {"by": "share"}):
        settings = SplitSettings.model_validate(split)
        one, other = (make_split(each.encounters, settings, 1) for each in (wide, extract))
        assert one.table.equals(other.table)


def write_wide(
    path: Path, rows: list[Row], words: Vocabulary, partitions: Mapping[int, str]
) -> None:
    ours = {"train": "train", "tuning": "validation", "held_out": "test"}
    concepts = [concept for concept in words.concept_states if concept != "age"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["encounter", "patient", "time", "partition", "label", "age", *concepts])
        for patient, day, label, codes in rows:
            held = {f"SNOMED/{code}" for code in codes}
            held |= {f"GENDER//{patient.gender}", f"RACE//{patient.race}"}
            age = (at(day, 9) - at(patient.birth, 0)) / datetime.timedelta(days=365.25)
            about = [f"{patient.number}@{at(day, 9).isoformat()}", patient.number, day]
            about += [ours[partitions[patient.number]], int(label), age]
            writer.writerow([*about, *("1" if concept in held else "" for concept in concepts)])
