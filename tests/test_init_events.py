"""`concept-transfer init` of coded events: MEDS datasets, OMOP tables, and what is to fill in."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from omop_tables import Row
from omop_tables import write as write_omop
from synthea_meds import Event, write_meds

from concept_transfer.command import main
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.database import database
from concept_transfer.events.vocabulary_draft import draft
from concept_transfer.sites.reading import read_site
from concept_transfer.study_file import read_study
from concept_transfer.workflow import check_study, planned_vocabulary

PATIENTS = range(1, 41)
COUGH, FEVER, RARE, PULSE, FLU, OLD_CODE, ER, YES, NO = (
    21,
    31,
    33,
    41,
    11,
    99,
    9203,
    4188539,
    4188540,
)
PER_MINUTE = 8541
SECRET = "Somebody's own disease"


def at(day: int, hour: int = 9) -> datetime.datetime:
    return datetime.datetime(2020, 1, 1, hour) + datetime.timedelta(days=day)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def meds_events() -> list[Event]:
    found: list[Event] = []
    for n in PATIENTS:
        found += [(n, at(-10000), "MEDS_BIRTH", None, None), (n, at(0), "DX//R05", None, None)]
        found += [(n, at(9), "LAB//pulse", 50.0 + n, "/min"), (n, at(10), "VISIT//ER", None, None)]
        found.append((n, at(90), "DX//Z00", None, None))
        if n % 3 == 0:
            found.append((n, at(20), "DX//J10", None, None))
    return found + [(n, at(1), "DX//secret", None, None) for n in range(1, 5)]


IDS = itertools.count(1)


def omop_rows(table: str, concepts: list[tuple[int, int]], **more: Any) -> list[Row]:
    start = f"{table}_start" if table != "observation" and table != "measurement" else table
    key = table
    full = {"condition": "condition_occurrence"}.get(table, table)
    return [
        {
            f"{full}_id": next(IDS),
            "person_id": n,
            f"{key}_concept_id": concept,
            f"{start}_date": at(9).date(),
            f"{start}_datetime": at(9),
            **{name: value(n) if callable(value) else value for name, value in more.items()},
        }
        for n, concept in concepts
    ]


def omop() -> dict[str, list[Row]]:
    names = {COUGH: "Cough", FEVER: "Fever", RARE: SECRET, PULSE: "Heart rate", FLU: "Influenza"}
    names |= {ER: "Emergency Room Visit", 8507: "MALE", PER_MINUTE: "per minute"}
    concepts: list[Row] = [
        {"concept_id": c, "concept_name": name, "standard_concept": "S"}
        for c, name in names.items()
    ]
    concepts.append({"concept_id": OLD_CODE, "concept_name": "Old", "standard_concept": None})
    conditions = [(n, COUGH) for n in PATIENTS] + [(n, OLD_CODE) for n in PATIENTS]
    conditions += [(n, RARE) for n in range(1, 5)]
    moved = {"condition_start_date": at(20).date(), "condition_start_datetime": at(20)}
    later = omop_rows("condition", [(n, FLU) for n in PATIENTS if n % 3 == 0], **moved)
    return {
        "person": [
            {"person_id": n, "gender_concept_id": 8507, "year_of_birth": 1970} for n in PATIENTS
        ],
        "observation_period": [
            {
                "observation_period_id": n,
                "person_id": n,
                "observation_period_start_date": at(-400).date(),
                "observation_period_end_date": at(400).date(),
            }
            for n in PATIENTS
        ],
        "visit_occurrence": [
            {
                "visit_occurrence_id": n,
                "person_id": n,
                "visit_concept_id": ER,
                "visit_start_date": at(10).date(),
                "visit_start_datetime": at(10),
            }
            for n in PATIENTS
        ],
        "condition_occurrence": omop_rows("condition", conditions) + later,
        "observation": omop_rows(
            "observation",
            [(n, FEVER) for n in PATIENTS],
            value_as_concept_id=lambda n: YES if n % 2 else NO,
        ),
        "measurement": omop_rows(
            "measurement",
            [(n, PULSE) for n in PATIENTS],
            value_as_number=lambda n: 50.0 + n,
            unit_concept_id=PER_MINUTE,
        ),
        "concept": concepts,
    }


def filled(config: Path, changes: dict[str, str]) -> None:
    text = config.read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    config.write_text(text)


def refused(config: Path, root: Path) -> str:
    with pytest.raises(StudyError) as told:
        check_study(read_study(config), root)
    return str(told.value)


def test_a_meds_dataset_gets_a_study_that_says_what_is_missing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"DX//R05": "Cough", "LAB//pulse": "Heart rate", "DX//secret": SECRET}
    for name in ("north", "south"):
        write_meds(here / name, meds_events(), texts)
    assert main(["init", "north", "--label", "influenza"]) == 0
    said = capsys.readouterr().out
    places = "sites.north.cohort.index, sites.north.cohort.outcome, sites.other.path"
    assert "north: 1 code(s) of fewer than 5 patients left out" in said
    assert f"next: in config/study.yaml, replace FILL_IN in {places}" in said
    words = Vocabulary.read(here / "config/vocabulary.tsv")
    assert set(words.concepts) == {"DX//R05", "VISIT//ER", "DX//Z00", "DX//J10"}
    assert words.texts[words.concepts.index("DX//R05")] == "Cough"
    config = here / "config/study.yaml"
    for text in (config.read_text(), (here / "config/vocabulary.tsv").read_text(), said):
        assert "secret" not in text
        assert SECRET not in text
    pulse = read_study(config).bins["LAB//pulse"]
    assert (pulse.name, pulse.unit) == ("Heart rate", "/min")
    assert pulse.edges == pytest.approx([60.5, 70.5, 80.5], abs=1)
    assert main(["check", "--config", "config/study.yaml"]) == 1
    error = capsys.readouterr().err
    assert "FILL_IN" in error
    assert "sites.other.cohort.outcome" in error
    assert "\n\n" not in error
    filled(config, {"index: [FILL_IN]": 'index: ["VISIT//*"]', "path: FILL_IN": "path: south"})
    assert "sites.north.cohort.outcome, sites.other.cohort.outcome;" in refused(config, here)
    filled(config, {"outcome: [FILL_IN]": "outcome: [DX//J10]"})
    check_study(read_study(config), here)
    assert_read(config, here)


def assert_read(config: Path, root: Path) -> None:
    """Every site has all patients, a third with the outcome, and records age and numbers."""
    study = read_study(config)
    words = planned_vocabulary(study, root)
    for site in study.sites.values():
        extract = read_site(site, words, study.task, root)
        assert extract.encounters.labels.tolist() == [int(n % 3 == 0) for n in PATIENTS]
        found = {words.concepts[token] for row in extract.inputs["findings"] for token in row}
        assert {"age", *study.bins} <= found
        assert len(found) > len(study.bins)


@pytest.mark.parametrize("kind", ["parquet", "upper", "duckdb"])
def test_omop_tables_get_a_study_that_says_what_is_missing(
    here: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = "cdm.duckdb" if kind == "duckdb" else "cdm"
    write_omop(omop(), here / path, kind)
    assert main(["init", path]) == 0
    said = capsys.readouterr().out
    assert f"{path}: 1 code(s) of fewer than 5 patients left out" in said
    assert f"{path}: 1 code(s) without a standard concept left out" in said
    words = Vocabulary.read(here / "config/vocabulary.tsv")
    tokens = zip(words.concepts, words.states, words.texts, words.categories, strict=True)
    assert set(tokens) == {
        ("21", "present", "Cough", "finding"),
        ("11", "present", "Influenza", "finding"),
        ("31", "present", "Fever", "finding"),
        ("31", "absent", "no Fever", "finding"),
        ("8507", "present", "MALE", "sex"),
    }
    config = here / "config/study.yaml"
    assert SECRET not in config.read_text() + said
    study = read_study(config)
    assert study.sites["cdm"].cohort.index.visits == [ER]
    assert study.bins["41"].edges == pytest.approx([60.5, 70.5, 80.5], abs=1)
    assert study.bins["41"].unit == "per minute"
    assert study.sites["cdm"].units == {PULSE: {str(PER_MINUTE): 1}}
    for place in ("cdm.concept_sets.FILL_IN", "cdm.cohort.outcome", "other.path"):
        assert f"sites.{place}" in refused(config, here)
        assert f"sites.{place}" in said
    filled(config, {"FILL_IN: {concepts: [1]": f"influenza: {{concepts: [{FLU}]"})
    filled(config, {"outcome: FILL_IN": "outcome: influenza", "path: FILL_IN": f"path: {path}"})
    check_study(read_study(config), here)
    assert_read(config, here)


def test_codes_of_several_datasets_are_one_vocabulary(here: Path) -> None:
    write_meds(here / "north", meds_events())
    more = [(n, at(3), "DX//R50", None, None) for n in range(1, 6)]
    write_meds(here / "south", [*meds_events(), *more])
    assert main(["init", "north", "south", "--adapter", "meds"]) == 0
    assert "DX//R50" in Vocabulary.read(here / "config/vocabulary.tsv").concepts
    sites = yaml.safe_load((here / "config/study.yaml").read_text())["sites"]
    assert {name: site["path"] for name, site in sites.items()} == {
        "north": "north",
        "south": "south",
    }


def test_nothing_is_overwritten_and_nothing_is_guessed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_meds(here / "north", meds_events())
    (here / "config").mkdir()
    (here / "config/study.yaml").write_text("mine")
    assert main(["init", "north"]) == 1
    assert [file.read_text() for file in (here / "config").iterdir()] == ["mine"]
    for arguments, told in (
        (["config"], "neither a MEDS dataset"),
        (["north", "--positive", "1"], "--positive is for tables"),
        (["north.csv"], "--label names it"),
    ):
        assert main(["init", *arguments, "--folder", "new"]) == 1
        assert told in capsys.readouterr().err
    assert not (here / "new").exists()


def test_codes_with_numbers_alone_are_drafted_without_a_token() -> None:
    with database() as db:
        db.execute(
            "CREATE VIEW events AS SELECT i AS patient, 'pulse' AS code, i::DOUBLE AS value "
            "FROM range(9) t(i)"
        )
        made = draft(db, {}, 5)
    assert len(made.vocabulary) == 0
    assert made.numbers == {"pulse": "pulse"}
    assert made.rare == 0
