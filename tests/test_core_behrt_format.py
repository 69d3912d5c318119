"""The query of docs/histories.md on CORE-BEHRT's tables of Synthea, and the study of that."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import meds
import pyarrow.parquet as pq
import pytest
import yaml
from synthea import FOLDER, diagnoses, patients

from concept_transfer.command import main
from concept_transfer.concepts.study_vocabulary import reading, study_vocabulary
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.sites.histories import Histories
from concept_transfer.sites.meds import read_histories
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.study import load_study

HYPERTENSION = "59621000"
INDEX, END = datetime.date(2014, 1, 1), datetime.date(2022, 1, 1)


@pytest.fixture(scope="module")
def made(shared_data: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the documentation's lines were run."""
    folder = tmp_path_factory.mktemp("synthea")
    text = (repository / "docs" / "histories.md").read_text(encoding="utf-8")
    section = text.partition("## Data in CORE-BEHRT's format")[2].partition("\n## ")[0]
    (lines,) = re.findall(r"```python\n(.*?)```", section, re.S)
    for file in (shared_data / FOLDER).iterdir():
        (folder / file.name).symlink_to(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(lines, "docs/histories.md", "exec"), {})
    return folder


def test_the_datasets_keep_to_the_standard(made: Path) -> None:
    for site in ("snomed", "icd10"):
        folder = made / "resources" / "data" / "synthea" / site
        meds.DataSchema.validate(pq.read_table(folder / "data" / "0.parquet"))
        meds.LabelSchema.validate(pq.read_table(folder / "labels.parquet"))


def test_the_study_reads_patients_labels_and_histories(
    made: Path, shared_data: Path, repository: Path
) -> None:
    """Against a walk from patient to patient."""
    data = made / "resources" / "data" / "synthea"
    given = ["init", str(data / "snomed"), str(data / "icd10"), "--adapter", "meds"]
    assert main([*given, "--label", "hypertension", "--folder", str(data)]) == 0
    config = yaml.safe_load((repository / "config" / "synthea.yaml").read_text(encoding="utf-8"))
    study = load_study(config | {"data": str(data)})
    file = Vocabulary.read(data / "vocabulary.tsv")
    vocabulary = study_vocabulary(data / "vocabulary.tsv", reading(file, study.bins, []))
    site = study.sites["snomed"]
    check_site(site, vocabulary, study.task, made)
    encounters = read_site(site, vocabulary, study.task, made).encounters
    expected, events = [], {}
    for each in diagnoses(shared_data):
        events.setdefault(each.patient, []).append((each.day, f"SNOMED/{each.code}"))
    for patient in patients(shared_data):
        own = events.get(patient.number, [])
        begins = [day for day, code in own if code == f"SNOMED/{HYPERTENSION}"]
        grown = patient.birth < datetime.date(INDEX.year - 18, 1, 1)
        lives = patient.death is None or patient.death > INDEX
        known = own and min(own)[0] < datetime.date(INDEX.year - 1, 1, 1)
        if grown and lives and known and all(day >= INDEX for day in begins):
            past = sorted(code for day, code in own if day < INDEX)
            expected.append((f"{patient.number}@", bool(begins) and min(begins) < END, past))
    assert len(expected) == 195
    assert sum(label for _, label, _ in expected) == 27
    names = encounters.table["encounter"].to_pylist()
    assert [name[: name.index("@") + 1] for name in names] == [name for name, *_ in expected]
    assert encounters.labels.tolist() == [label for _, label, _ in expected]
    histories: Histories = read_histories(site, encounters, study.task, made)
    cohort = histories.cohort
    for row, (_, _, past) in zip(cohort.codes, expected, strict=True):
        held = sorted(cohort.names[code] for code in row)
        assert [code for code in held if code.startswith("SNOMED/")] == past
