"""The eICU adapter on tables of our own, and on the real demo."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.eicu_site import EicuSite
from concept_transfer.sites.eicu_tables import Records
from concept_transfer.sites.eicu_vocabulary import draft, frequent, main
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.workflow import site_inputs

TASK = Task(label="mortality")
PATIENTS = [  # stay, patient, sex, age, hospital, year, status, minutes
    (11, "p1", "Female", "44", 1, 2014, "Alive", 1440),
    (12, "p1", "Female", "45", 1, 2015, "Expired", 9000),
    (13, "p2", "Male", "> 89", 2, 2015, "Alive", 1500),
    (14, "p3", "", "", 1, 2015, "Alive", 2000),
    (15, "p4", "Male", "70", 1, 2015, "Expired", 1439),
    (16, "p5", "Male", "70", 1, 2015, "", 5000),
    (17, "p6", "Male", "70", 3, 2015, "Alive", 5000),
    (18, "p7", "Male", "70", 4, 2015, "Alive", 5000),
]
TABLES = {
    "patient": pd.DataFrame(
        PATIENTS,
        columns=[
            "patientunitstayid",
            "uniquepid",
            "gender",
            "age",
            "hospitalid",
            "hospitaldischargeyear",
            "hospitaldischargestatus",
            "unitdischargeoffset",
        ],
    ).assign(
        patienthealthsystemstayid=range(101, 109),
        hospitaladmitoffset=[0, -300, 0, -10, 0, 0, 0, 0],
    ),
    "hospital": pd.DataFrame(
        {"hospitalid": [1, 2, 3, 4], "region": ["South", "South", "West", ""]}
    ),
    "diagnosis": pd.DataFrame(
        [
            (11, 5, "renal|failure|acute"),
            (11, 5, "renal|failure|acute"),
            (11, 1440, "renal|failure|chronic"),
            (12, 1439, "renal|failure|chronic"),
            (12, 2000, "pulmonary|infections|pneumonia|viral"),
            (13, -7, "burns|hand"),
            (13, 1439, "pulmonary|infections|pneumonia"),
            (14, 1441, "cardiovascular|shock|sepsis"),
            (14, 10, "renal|failure|due to sepsis"),
            (99, 5, "renal|failure|acute"),
        ],
        columns=["patientunitstayid", "diagnosisoffset", "diagnosisstring"],
    ),
    "pastHistory": pd.DataFrame(
        [(14, 60, 'notes/Progress Notes/Past History/Organ Systems/Lung/sepsis, "old"')],
        columns=["patientunitstayid", "pasthistoryenteredoffset", "pasthistorypath"],
    ),
    "physicalExam": pd.DataFrame(
        [(14, 60, "notes/Progress Notes/Physical Exam/GCS/4")],
        columns=["patientunitstayid", "physicalexamoffset", "physicalexampath"],
    ),
    "admissionDx": pd.DataFrame(
        [
            (14, 60, "admission diagnosis|All|Burns"),
            (12, 1500, "admission diagnosis|All|Sepsis, GI"),
        ],
        columns=["patientunitstayid", "admitdxenteredoffset", "admitdxpath"],
    ),
    "treatment": pd.DataFrame(
        [(11, 3, "pulmonary|oxygen")],
        columns=["patientunitstayid", "treatmentoffset", "treatmentstring"],
    ),
    "medication": pd.DataFrame(
        [(11, 3, "Aspirin  81 mg"), (11, 4, "")],
        columns=["patientunitstayid", "drugorderoffset", "drugname"],
    ),
}
ROWS = [
    ("age", "below 45", "-inf"),
    ("age", "45 to 79", "45"),
    ("age", "80 or more", "80"),
    ("sex", "female", ""),
    ("sex", "male", ""),
    ("diagnosis|renal", "present", ""),
    ("diagnosis|renal|failure|acute", "present", ""),
    ("diagnosis|pulmonary|infections", "present", ""),
    ("past history|Organ Systems", "present", ""),
    ("physical exam|GCS|4", "present", ""),
    ("admission diagnosis|All|Burns", "present", ""),
    ("treatment|pulmonary|oxygen", "present", ""),
    ("medication|ASPIRIN 81 MG", "present", ""),
]
VOCABULARY = Vocabulary(
    tuple(c for c, _, _ in ROWS),
    tuple(c for c, _, _ in ROWS),
    tuple(c.partition("|")[0] for c, _, _ in ROWS),
    tuple(s for _, s, _ in ROWS),
    tuple(f"{c} {s}" for c, s, _ in ROWS),
    tuple(lower for _, _, lower in ROWS),
)


def write(folder: Path, **changed: pd.DataFrame) -> Path:
    """All tables: some packed, some not, with a column that nobody needs."""
    for name, table in {**TABLES, **changed}.items():
        text = table.assign(unused='a "word", quoted').to_csv(index=False)
        if name in ("patient", "diagnosis"):
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / f"{name.lower()}.csv").write_text(text)
    return folder


def site(**changes: Any) -> EicuSite:
    values = {"adapter": "eicu", "path": ".", **({} if "hospitals" in changes else SOUTH)}
    return EicuSite.model_validate(values | changes)


SOUTH = {"region": "South"}


def read(config: EicuSite, root: Path, label: str = "mortality", **task: Any) -> Extract:
    check_site(config, VOCABULARY, Task(label=label), root)
    extract = read_site(config, VOCABULARY, Task(label=label, **task), root)
    extract.validate("the site", VOCABULARY)
    return extract


def found(extract: Extract) -> dict[str, set[str]]:
    """Stay -> its concepts, with the states of age and sex."""
    names = [c if s == "present" else s for c, s, _ in ROWS]
    stays = extract.encounters.table.column("encounter").to_pylist()
    rows = extract.inputs["findings"]
    return {stay: {names[t] for t in own} for stay, own in zip(stays, rows, strict=True)}


CODES = [  # that a concept takes
    "diagnosis|renal|failure|acute",
    "diagnosis|renal|failure|chronic",
    "diagnosis|renal|failure|due to sepsis",
    "diagnosis|pulmonary|infections|pneumonia",
    'past history|Organ Systems|Lung|sepsis, "old"',
    "physical exam|GCS|4",
    "admission diagnosis|All|Burns",
]


def test_stays_become_encounters(tmp_path: Path) -> None:
    extract = read(site(), write(tmp_path))
    new_year = {year: datetime.date(year, 1, 1) for year in (2014, 2015)}
    assert extract.encounters.table.to_pydict() == {
        "encounter": ["11", "12", "13", "14"],
        "patient": ["p1", "p1", "p2", "p3"],
        "cluster": ["p1", "p1", "p2", "p3"],
        "time": [new_year[2014], *[new_year[2015]] * 3],
        "label": [0, 1, 0, 0],
        "partition": [None] * 4,
    }
    assert found(extract) == {
        "11": {"below 45", "female", "diagnosis|renal|failure|acute"},
        "12": {"45 to 79", "female", "diagnosis|renal"},
        "13": {"80 or more", "male", "diagnosis|pulmonary|infections"},
        "14": {
            "diagnosis|renal",
            "past history|Organ Systems",
            "physical exam|GCS|4",
            "admission diagnosis|All|Burns",
        },
    }
    assert extract.report == {
        "rows_read": 8,
        "dropped": {
            "another region or hospital": 2,
            "stay of less than 24 hours": 1,
            "outcome not recorded": 1,
        },
        "encounters": 4,
        "positives": 1,
        "prevalence": 0.25,
        "unmapped": {"diagnosis|burns|hand": 1},
        "not_recorded": {"age": 1, "sex": 1},
        "mapping": {
            "codes": {"mapped": 7, "set_aside": 0, "unmapped": 1},
            "values": {"mapped": 7, "set_aside": 0, "unmapped": 1},
            "mapped_codes": dict.fromkeys(CODES, 1),
            "encounters": 4,
            "encounters_mapped": 4,
        },
        "classes": {"no mortality": 3, "mortality": 1},
    }


def test_the_index_time_decides_what_is_known_and_who_is_there(tmp_path: Path) -> None:
    extract = read(site(after_hours=23), write(tmp_path))
    assert list(found(extract)) == ["11", "12", "13", "14", "15"]
    assert found(extract)["12"] == {"45 to 79", "female"}  # the diagnosis came at 1439 minutes
    assert found(extract)["13"] == {"80 or more", "male"}


def test_other_tables_and_hospitals(tmp_path: Path) -> None:
    tables = ["treatment", "medication"]
    extract = read(site(hospitals=[1], tables=tables), write(tmp_path))
    assert found(extract)["11"] >= {"treatment|pulmonary|oxygen", "medication|ASPIRIN 81 MG"}
    assert list(found(extract)) == ["11", "12", "14"]
    assert extract.report["unmapped"] == {"medication|no name": 1}
    names = [Path(file).name for file in site_inputs(site(tables=tables), tmp_path)]
    own = ["treatment.csv", "medication.csv"]
    assert names == ["patient.csv.gz", "hospital.csv", "diagnosis.csv.gz", "admissiondx.csv", *own]


def test_an_infection_is_one_that_comes_later(tmp_path: Path) -> None:
    """Who has it before is left out, and no finding names it, but past history."""
    pneumonia = read(site(), write(tmp_path), "pneumonia")
    assert pneumonia.report["dropped"]["pneumonia before the index time"] == 1
    labels = dict(zip(found(pneumonia), pneumonia.encounters.labels.tolist(), strict=True))
    assert labels == {"11": 0, "12": 1, "14": 0, "16": 0}
    sepsis = read(site(), tmp_path, "sepsis")
    labels = dict(zip(found(sepsis), sepsis.encounters.labels.tolist(), strict=True))
    assert labels == {"11": 0, "13": 0, "14": 1, "16": 0}  # 12: an admission diagnosis
    assert "past history|Organ Systems" in found(sepsis)["14"]
    assert "diagnosis|renal" not in found(sepsis)["14"]  # failure due to sepsis
    assert "diagnosis|renal" in found(pneumonia)["14"]


def test_a_crosswalk_goes_before_names(tmp_path: Path) -> None:
    """A code, or all of a branch, to concepts of other names; other codes as without one."""
    walk = (
        "site_code\tconcept\tstate\trelation",
        "diagnosis|renal|failure|*\tdiagnosis|pulmonary|infections\t\t",
        "diagnosis|renal|failure|*\tsex\tmale\t",
        "diagnosis|renal|failure|due to sepsis\t\t\tnone",
        "diagnosis|burns|*\tadmission diagnosis|All|Burns\t\tbroader",
    )
    (write(tmp_path) / "walk.tsv").write_text("\n".join(walk) + "\n")
    config = site(crosswalk="walk.tsv")
    extract = read(config, tmp_path)
    lung, burns = "diagnosis|pulmonary|infections", "admission diagnosis|All|Burns"
    assert found(extract) == {
        "11": {"below 45", "female", lung, "male"},
        "12": {"45 to 79", "female", lung, "male"},
        "13": {"80 or more", "male", lung, burns},
        "14": {"past history|Organ Systems", "physical exam|GCS|4", burns},
    }
    mapping = extract.report["mapping"]
    assert mapping["codes"] == {"mapped": 7, "set_aside": 1, "unmapped": 0}
    assert mapping["mapped_codes"]["diagnosis|burns|hand"] == 1
    assert Path(site_inputs(config, tmp_path)[-1]).name == "walk.tsv"
    other = Vocabulary(("C1",), ("fever",), ("finding",), ("present",), ("fever",))
    (tmp_path / "walk.tsv").write_text("site_code\tconcept\ndiagnosis|renal*\tC1\n")
    check_site(config, other, TASK, tmp_path)
    (tmp_path / "walk.tsv").write_text("site_code\tconcept\ndiagnosis|renal*\tsex\n")
    with pytest.raises(StudyError, match=r"walk\.tsv, line 2: .*sex"):
        check_site(config, VOCABULARY, TASK, tmp_path)


def changed(table: str, row: int, column: str, value: Any) -> dict[str, pd.DataFrame]:
    frame = TABLES[table].astype(object)
    frame.loc[row, column] = value
    return {table: frame}


BAD: list[tuple[dict[str, Any], dict[str, pd.DataFrame], str]] = [
    (
        {},
        {"diagnosis": TABLES["diagnosis"].drop(columns="diagnosisstring")},
        r"diagnosis\.csv\.gz lacks the column\(s\) diagnosisstring; it has patientunitstayid, diag",
    ),
    (
        {},
        changed("diagnosis", 3, "diagnosisoffset", "soon"),
        r"diagnosis\.csv\.gz, row 4, column 'diagnosisoffset': the value is no number of minutes",
    ),
    (
        {},
        {"diagnosis": TABLES["diagnosis"].assign(diagnosisoffset="soon")},
        r"diagnosis\.csv\.gz, row 1, column 'diagnosisoffset'",
    ),
    (
        {},
        changed("patient", 2, "unitdischargeoffset", "soon"),
        r"patient\.csv\.gz, row 3, column 'unitdischargeoffset': the value is no number",
    ),
    (
        {},
        changed("patient", 2, "patientunitstayid", 11),
        r"patient\.csv\.gz, row 3, column 'patientunitstayid': the value is there twice; a stay",
    ),
    ({}, changed("patient", 2, "uniquepid", ""), r"row 3, column 'uniquepid': the value is empty"),
    (
        {},
        changed("hospital", 2, "hospitalid", 1),
        r"hospital\.csv, row 3, column 'hospitalid': .* a hospital has one row",
    ),
    ({"hospitals": [1, 7]}, {}, r"hospitals: no stay of .*patient\.csv\.gz is at 7"),
    ({"region": "Midwest"}, {}, r"not one of 8 stays is left \(another region or hospital: 8\)"),
    ({"after_hours": 500}, {}, r"not one of 8 stays is left .*stay of less than 500 hours: 6\)"),
]


@pytest.mark.parametrize(("changes", "tables", "said"), BAD)
def test_what_is_wrong_is_named(
    tmp_path: Path, changes: dict[str, Any], tables: dict[str, pd.DataFrame], said: str
) -> None:
    with pytest.raises(StudyError, match=said) as error:
        read(site(**changes), write(tmp_path, **tables))
    assert "soon" not in str(error.value)


def test_what_is_wrong_is_said_before_a_row_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(StudyError, match=r"'influenza' with 2 classes.*mortality, pneumonia, seps"):
        check_site(site(), VOCABULARY, Task(label="influenza"), tmp_path)
    other = Vocabulary(("C1",), ("fever",), ("finding",), ("present",), ("fever",))
    with pytest.raises(StudyError, match=r"no concept of the tables.*eicu_vocabulary drafts one"):
        check_site(site(), other, TASK, tmp_path)
    (tmp_path / "pasthistory.csv").unlink()
    with pytest.raises(StudyError, match=r"pastHistory\.csv\.gz does not exist; eICU's tables"):
        check_site(site(), VOCABULARY, TASK, tmp_path)
    (tmp_path / "pastHistory.csv.gz").write_text("no archive")
    with pytest.raises(StudyError, match=r"pastHistory\.csv\.gz cannot be read \(BadGzipFile\)"):
        check_site(site(), VOCABULARY, TASK, tmp_path)
    for both in ({"region": "West", "hospitals": [1]}, {"region": None}):
        with pytest.raises(ValidationError, match="either 'region' or 'hospitals'"):
            site(**both)


def test_a_broken_line_is_named_and_hidden(tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "physicalexam.csv").open("a") as file:
        file.write('12,"secret,5\n')
    with pytest.raises(StudyError, match=r"physicalexam\.csv.*: no comma-separated table") as error:
        read(site(), tmp_path)
    assert "secret" not in str(error.value)


def test_rare_codes_count_for_the_step_above() -> None:
    """Against a count by hand: x is in three stays, its children in two, one and one."""
    codes = ["t|x|a", "t|x|b", "t|x|c", "t|y|a", "t|z"]
    pairs = [(0, 0), (1, 0), (1, 1), (2, 2), (3, 3), (0, 4), (1, 4)]
    stay, code = (np.array(column) for column in zip(*pairs, strict=True))
    records = Records(stay.astype(np.int64), code.astype(np.int32), codes)
    assert frequent(records, 1) == sorted(codes)
    assert frequent(records, 2) == ["t|x", "t|x|a", "t|z"]
    assert frequent(records, 3) == ["t|x"]
    assert frequent(records, 4) == []


def test_a_vocabulary_is_drafted_from_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    out = tmp_path / "new" / "v.tsv"
    assert main([str(tmp_path), str(out), "--stays", "1"]) == 0
    vocabulary = Vocabulary.read(out)
    assert vocabulary == draft(tmp_path, stays=1)
    assert f"{len(vocabulary.concept_states)} concepts" in capsys.readouterr().out
    texts = dict(zip(vocabulary.concepts, vocabulary.texts, strict=True))
    names = dict(zip(vocabulary.concepts, vocabulary.names, strict=True))
    code = "diagnosis|renal|failure|chronic"
    assert (names[code], texts[code]) == (
        "failure: chronic",
        "diagnosis: renal, failure, chronic",
    )
    assert vocabulary.bins["age"].edges.tolist() == [45, 65, 80]
    extract = read_site(site(), vocabulary, TASK, tmp_path)
    assert extract.report["unmapped"] == {}
    assert "diagnosis|renal|failure" in draft(tmp_path, stays=3).concepts
    assert main([str(tmp_path / "nowhere"), str(out)]) == 1
    assert "does not exist" in capsys.readouterr().err


REAL = {"Midwest": (508, 34), "Northeast": (103, 14), "South": (503, 42), "West": (357, 35)}


def test_the_real_demo(shared_data: Path, tmp_path: Path) -> None:
    """Counts of stays, deaths and findings, read independently of the adapter."""
    folder = shared_data / "eicu-demo"
    vocabulary = draft(folder)
    patients = pd.read_csv(folder / "patient.csv.gz", dtype={"age": str})
    regions = pd.read_csv(folder / "hospital.csv.gz").set_index("hospitalid")["region"]
    patients["region"] = patients["hospitalid"].map(regions)
    there = patients["unitdischargeoffset"] >= 1440
    kept = patients[there & patients["hospitaldischargestatus"].notna()]
    notes = pd.read_csv(folder / "diagnosis.csv.gz")
    early = notes[notes["diagnosisoffset"] < 1440]
    whole = str(early["diagnosisstring"].mode()[0])  # the strings' licence keeps them out of here
    token = vocabulary.token(f"diagnosis|{whole}", "present")
    for region, expected in REAL.items():
        config = site(path=str(folder), region=region)
        extract = read_site(config, vocabulary, TASK, tmp_path)
        own = kept[kept["region"] == region]
        assert (len(extract), extract.report["positives"]) == expected
        assert extract.encounters.table.column("encounter").to_pylist() == [
            str(stay) for stay in own["patientunitstayid"]
        ]
        within = early[early["diagnosisstring"].str.startswith(whole)]
        exact = within[within["diagnosisstring"] == whole]
        most = own["patientunitstayid"].isin(within["patientunitstayid"]).sum()
        least = own["patientunitstayid"].isin(exact["patientunitstayid"]).sum()
        count = int((extract.inputs["findings"].values == token).sum())
        assert least <= count <= most
        assert count > 0
