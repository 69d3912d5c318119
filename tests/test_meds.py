"""The adapter of the Medical Event Data Standard on a small dataset of our own."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import meds
import pyarrow.parquet as pq
import pytest
import yaml
from synthea_meds import Event, write_labels, write_meds

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.settings.task import Task
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.meds import columns_of, read_numbers
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.sites.reading import check_site, read_site

TASK = Task(label="flu")
START = datetime.datetime(2020, 1, 1)
ROWS = [
    ("DX//R05", "cough", "finding", "present", "cough", ""),
    ("DX//R50", "fever", "finding", "present", "fever", ""),
    ("GENDER//F", "female", "person", "present", "female", ""),
    ("LAB//pulse", "pulse", "measurement", "below 90", "slow", "-inf"),
    ("LAB//pulse", "pulse", "measurement", "90 or more", "fast", "90"),
    ("age", "age", "person", "below 50", "young", "-inf"),
    ("age", "age", "person", "50 or more", "old", "50"),
]
WORDS = Vocabulary(*map(tuple, zip(*ROWS, strict=True)))
COHORT = {"index": ["VISIT//*"], "outcome": ["DX//J10"], "horizon_days": 30}


def at(day: float) -> datetime.datetime:
    return START + datetime.timedelta(days=day)


def an_event(subject: int, day: float | None, code: str, *value: Any) -> Event:
    number, unit = value or (None, None)
    return (subject, None if day is None else at(day), code, number, unit)


def events() -> list[Event]:
    """Subjects 1 and 3 get influenza after their visit, 2 and 4 do not; 5 has no visit."""
    found = [an_event(subject, -365 * (20 * subject), "MEDS_BIRTH") for subject in range(1, 6)]
    found += [an_event(subject, 400, "DX//Z00") for subject in range(1, 6)]
    found += [an_event(subject, None, "GENDER//F") for subject in (1, 2)]
    found += [an_event(subject, 100, f"VISIT//{'AB'[subject % 2]}") for subject in (1, 2, 3, 4)]
    found += [an_event(subject, 110, "DX//J10") for subject in (1, 3)]
    found += [an_event(1, 99, "DX//R05"), an_event(1, 100, "DX//R50"), an_event(2, 10, "DX//R50.9")]
    found += [an_event(3, 101, "DX//R05"), an_event(5, 0, "DX//R05")]
    found += [
        an_event(2, 98, "LAB//pulse", 100.0, "/min"),
        an_event(2, 99, "LAB//pulse", 1.0, "/s"),
    ]
    found += [an_event(4, 99, "LAB//pulse", 100.0, "/min")]
    return found


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    splits = {1: "train", 2: "tuning", 3: "held_out", 4: "train", 5: "train"}
    texts = {"DX//R05": "Cough", "LAB//pulse": "Heart rate"}
    parents = {"DX//R50.9": ["ICD10CM/R50.9", "DX//R50"]}
    return write_meds(tmp_path / "site", events(), texts, parents, splits)


def site(folder: Path, **changes: Any) -> MedsSite:
    units = {"LAB//pulse": {"/min": 1, "/s": 60}}
    values = {"adapter": "meds", "path": str(folder), "age": "age", "units": units}
    if not {"labels", "aces"} & changes.keys():
        values["cohort"] = COHORT
    return MedsSite.model_validate(values | changes)


def read(given: MedsSite, task: Task = TASK) -> Extract:
    root = Path(given.path).parent
    check_site(given, WORDS, task, root)
    return read_site(given, WORDS, task, root)


def findings(extract: Extract) -> list[set[str]]:
    return [{WORDS.texts[token] for token in tokens} for tokens in extract.inputs["findings"]]


def test_what_the_tests_write_is_meds(dataset: Path, tmp_path: Path) -> None:
    for file in sorted((dataset / "data").rglob("*.parquet")):
        meds.DataSchema.validate(pq.read_table(file))
    meds.CodeMetadataSchema.validate(pq.read_table(dataset / "metadata/codes.parquet"))
    meds.SubjectSplitSchema.validate(pq.read_table(dataset / "metadata/subject_splits.parquet"))
    labels = write_labels(tmp_path / "labels.parquet", [(1, at(3), True)])
    meds.LabelSchema.validate(pq.read_table(labels))


def test_events_become_encounters(dataset: Path) -> None:
    extract = read(site(dataset))
    extract.validate("site", WORDS)
    assert extract.encounters.table.to_pydict() == {
        "encounter": [f"{subject}@2020-04-10T00:00:00" for subject in (1, 2, 3, 4)],
        "patient": ["1", "2", "3", "4"],
        "cluster": ["1", "2", "3", "4"],
        "time": [datetime.date(2020, 4, 10)] * 4,
        "label": [1, 0, 1, 0],
        "partition": ["train", "validation", "test", "train"],
    }
    assert findings(extract) == [
        {"cough", "female", "young"},
        {"fever", "female", "slow", "young"},
        {"old"},
        {"fast", "old"},
    ]
    assert extract.report["unmapped"] == {}
    assert extract.report["quarantined"] == {}
    assert extract.report["mapping"]["codes"] == {"mapped": 4, "set_aside": 1, "unmapped": 0}
    assert extract.report["not_recorded"]["DX//R05"] == 3


def test_labels_and_codes_make_the_same_cohort(dataset: Path, tmp_path: Path) -> None:
    by_codes = read(site(dataset))
    rows = [(1, at(100), True), (2, at(100), False), (3, at(100), True), (4, at(100), False)]
    names = [(*row[:2], ("no flu", "flu")[row[2]]) for row in rows]
    numbers = [(*row[:2], int(row[2])) for row in rows]
    folder = tmp_path / "labels"
    write_labels(folder / "a.parquet", rows[:1])
    write_labels(folder / "b.parquet", rows[1:])
    one = write_labels(tmp_path / "names.parquet", names, "categorical_value")
    other = write_labels(tmp_path / "numbers.parquet", numbers, "integer_value")
    for labels in (folder, one, other):
        extract = read(site(dataset, labels=str(labels)))
        assert extract.encounters.table.equals(by_codes.encounters.table)
        assert extract.inputs["findings"].equals(by_codes.inputs["findings"])
        assert extract.report == by_codes.report | {"rows_read": 4}


def test_labels_of_three_classes(dataset: Path, tmp_path: Path) -> None:
    task = Task(label="flu", classes=["none", "A", "B"])
    rows = [(1, at(100), "B"), (2, at(100), "none"), (3, at(100), "A"), (4, at(100), None)]
    labels = write_labels(tmp_path / "l.parquet", rows, "categorical_value")
    extract = read(site(dataset, labels=str(labels)), task)
    assert extract.encounters.labels.tolist() == [2, 0, 1]
    assert extract.report["dropped"] == {"labels without a value": 1}


def test_the_look_back_of_labels(dataset: Path, tmp_path: Path) -> None:
    rows = [(1, at(100), True), (2, at(100), False), (4, at(5), False), (9, at(100), False)]
    labels = write_labels(tmp_path / "l.parquet", rows)
    extract = read(site(dataset, labels=str(labels), window={"look_back_days": 1}))
    assert findings(extract) == [{"cough", "female", "young"}, {"female", "slow", "young"}]
    assert extract.report["dropped"] == {
        "labels of patients without events": 1,
        "labels before the first event of the patient": 1,
    }


def test_numbers_and_columns_for_bins(dataset: Path) -> None:
    given = site(dataset)
    assert columns_of(given, WORDS, dataset.parent) == ["LAB//pulse", "age"]
    numbers = read_numbers(given, "LAB//pulse", WORDS, dataset.parent)
    assert [None if number != number else number for number in numbers] == [None, 60, None, 100]
    ages = read_numbers(given, "age", WORDS, dataset.parent)
    days = [365 * 20 * subject + 100 for subject in (1, 2, 3, 4)]
    assert ages.tolist() == pytest.approx([each / 365.25 for each in days])


def test_a_crosswalk_goes_before_names_and_parents(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "crosswalk.tsv"
    path.write_text("site_code\tconcept\trelation\nDX//R05\tDX//R50\t\nDX//R50*\t\tnone\n")
    extract = read(site(dataset, crosswalk=str(path)))
    assert findings(extract)[:2] == [{"fever", "female", "young"}, {"female", "slow", "young"}]
    assert extract.report["mapping"]["codes"]["set_aside"] == 2


def test_jobs_watch_all_files(dataset: Path, tmp_path: Path) -> None:
    write_labels(tmp_path / "labels/a/0.parquet", [(1, at(100), True)])
    own = [f"site/{path}" for path in ("data/part0/0.parquet", "data/part1/0.parquet")]
    own += [f"site/metadata/{name}.parquet" for name in ("codes", "subject_splits")]
    for further, files in (
        ({"labels": "labels"}, ["labels/a/0.parquet"]),
        ({"labels": "labels/a/0.parquet"}, ["labels/a/0.parquet"]),
        ({"aces": "task.yaml", "crosswalk": "codes.tsv"}, ["task.yaml", "codes.tsv"]),
    ):
        given = site(dataset, path="site", **further)
        assert ADAPTERS["meds"].files(given, tmp_path) == own + files


def test_the_documented_sites_are_sites(repository: Path) -> None:
    text = (repository / "docs" / "adapters.md").read_text(encoding="utf-8")
    section = text.partition("## `meds`")[2]
    example = re.search(r"```yaml\n(.*?)^```", section, re.M | re.S)
    assert example
    sites = yaml.safe_load(example[1])["sites"]
    assert len([MedsSite.model_validate(given) for given in sites.values()]) == 3
