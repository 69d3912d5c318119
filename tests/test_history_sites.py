"""Histories of whole sites, from MEDS and OMOP, and of public data, against plain walks."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import meds
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from eicu_meds import eicu_events
from omop_tables import write
from synthea_meds import Event, synthea_events, write_labels, write_meds
from test_meds import WORDS, an_event, at, events, site
from test_omop import COUGH, FLU, concept_tables, condition, event, period, person, visit
from test_omop import TASK as FLU_TASK
from test_omop import vocabulary as omop_words

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import BACKGROUND, History, check
from concept_transfer.settings.sites import SiteSection
from concept_transfer.settings.task import Task
from concept_transfer.sites import omop
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.histories import Histories
from concept_transfer.sites.meds_site import MedsSite
from concept_transfer.sites.omop_site import OmopSite
from concept_transfer.sites.reading import check_site, read_histories, read_site

TASK = Task(label="flu")


def read(given: SiteSection, words: Vocabulary, task: Task = TASK) -> tuple[Extract, Histories]:
    root = Path("/")
    check_site(given, words, task, root)
    extract = read_site(given, words, task, root)
    histories = read_histories(given, extract.encounters, task, root)
    check(histories.cohort, len(extract), words, "the site")
    check(histories.patients, len(histories.patient_ids), words, "the site")
    return extract, histories


def codes(history: History, row: int) -> list[str]:
    return [history.names[code] for code in history.codes[row]]


def as_findings(history: History, words: Vocabulary) -> list[list[int]]:
    """The tokens of the codes that are concepts without bins, each once."""
    known = {concept for concept in words.concept_states if concept not in words.bins}
    return [
        sorted({words.token(code, "present") for code in set(codes(history, row)) & known})
        for row in range(len(history))
    ]


def without_bins(extract: Extract, words: Vocabulary) -> list[list[int]]:
    return [
        [token for token in row if words.concepts[token] not in words.bins]
        for row in extract.inputs["findings"]
    ]


def test_histories_of_a_dataset(tmp_path: Path) -> None:
    folder = write_meds(tmp_path / "site", events())
    extract, histories = read(site(folder), WORDS)
    cohort = histories.cohort
    assert [codes(cohort, row) for row in range(4)] == [
        ["GENDER//F", "DX//R05"],
        ["GENDER//F", "DX//R50.9", "LAB//pulse", "LAB//pulse"],
        [],
        ["LAB//pulse"],
    ]
    assert cohort.visits.tolist() == [0, 1, 0, 1, 2, 3, 1]
    np.testing.assert_array_equal(cohort.days, [np.nan, 1, np.nan, 90, 2, 1, 1])
    birth = [365 * 20 * subject for subject in (1, 2, 2, 2, 4)]
    ages = np.add(birth, [99, 10, 98, 99, 99]) / 365.25
    np.testing.assert_allclose(cohort.ages[cohort.visits > 0], ages, rtol=1e-6)
    assert np.isnan(cohort.ages[cohort.visits == 0]).all()
    since_2000 = (at(100) - datetime.datetime(2000, 1, 1)).days
    assert cohort.index_days.tolist() == [since_2000] * 4
    assert as_findings(cohort, WORDS) == [[0, 2], [2], [], []]
    assert histories.patient_ids.to_pylist() == list("12345")
    assert codes(histories.patients, 4) == ["DX//R05", "DX//Z00"]
    assert histories.patients.days[-1] == 0
    assert not any(name.startswith("MEDS_") for name in cohort.names)
    assert len(extract) == len(cohort)


def test_the_files_say_what_a_visit_is(tmp_path: Path) -> None:
    made = [an_event(1, day, code) for day, code in ((1, "a"), (2, "b"), (2.5, "c"), (9, "d"))]
    made += [an_event(1, 20, "VISIT//A"), an_event(1, 30, "DX//J10"), an_event(1, None, "e")]
    made += [an_event(2, day, code) for day, code in ((1, "DX//R05"), (5, "VISIT//A"), (99, "a"))]
    of = [7, 8, 7, None, 9, 9, 7, *[None] * 3]
    for visits, expected in (
        (of, [0, 1, 2, 1, 3, 1]),
        ([None if number is None else f"v{number}" for number in of], [0, 1, 2, 1, 3, 1]),
        (None, [0, 1, 2, 2, 3, 1]),
    ):
        folder = write_meds(tmp_path / str(visits)[:9], made, visits=visits)
        for file in sorted((folder / "data").rglob("*.parquet")):
            meds.DataSchema.validate(pq.read_table(file))
        assert read(site(folder), WORDS)[1].cohort.visits.tolist() == expected
    by_day = read(site(folder, visit_column=None), WORDS)[1].cohort
    assert by_day.visits.tolist() == [0, 1, 2, 2, 3, 1]
    with pytest.raises(StudyError, match=r"'numeric_value' is float, .* string or int64"):
        check_site(site(folder, visit_column="numeric_value"), WORDS, TASK, tmp_path)


def test_events_before_birth_are_set_aside_or_refused(tmp_path: Path) -> None:
    early = [an_event(1, -365 * 30, "DX//R50")]
    folder = write_meds(tmp_path / "site", [*events(), *early])
    extract, histories = read(site(folder, max_corrupt=0.1), WORDS)
    assert extract.report["quarantined"] == {"before the birth of the patient": 1}
    assert codes(histories.cohort, 0) == ["GENDER//F", "DX//R05"]
    assert "DX//R50" not in codes(histories.patients, 0)[:2]
    given = site(folder, max_corrupt=0)
    for reading in (
        lambda: read_site(given, WORDS, TASK, Path("/")),
        lambda: read_histories(given, extract.encounters, TASK, Path("/")),
    ):
        with pytest.raises(StudyError, match="1 before the birth of the patient"):
            reading()


def test_labels_before_all_events_leave_no_cohort(tmp_path: Path) -> None:
    folder = write_meds(tmp_path / "site", events())
    labels = write_labels(tmp_path / "l.parquet", [(p, at(-9), p == 1) for p in (1, 2, 3)])
    with pytest.raises(StudyError, match="cohort is empty: 3 labels before the first event"):
        read_site(site(folder, labels=str(labels)), WORDS, TASK, tmp_path)


def test_findings_until_later_do_not_make_later_histories(tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "l.parquet", [(p, at(100), p == 1) for p in (1, 2, 3, 4)])
    folder = write_meds(tmp_path / "site", events())
    window = {"findings_after_hours": 48, "look_back_days": 1.5}
    extract, histories = read(site(folder, labels=str(labels), window=window), WORDS)
    fever = WORDS.token("DX//R50", "present")
    assert fever in extract.inputs["findings"][0]
    assert [codes(histories.cohort, row) for row in range(4)] == [
        ["GENDER//F", "DX//R05"],
        ["GENDER//F", "LAB//pulse"],
        [],
        ["LAB//pulse"],
    ]


def omop_site(folder: Path) -> OmopSite:
    """Two persons, each with an index visit on day 100."""
    tables: dict[str, list[Mapping[str, Any]]] = {
        **concept_tables(),
        "person": [person(1), person(2)],
        "observation_period": [period(1), period(2)],
        "visit_occurrence": [visit(p, 100) for p in (1, 2)] + [visit(1, 40, kind=9202)],
        "condition_occurrence": [
            condition(1, 10, COUGH),
            condition(1, 40, COUGH, 12, visit_occurrence_id=1040),
            condition(1, 41, 0, 1, visit_occurrence_id=1040, condition_source_value="J06"),
            condition(1, 100, COUGH),  # known by the day alone, so after the index
            condition(1, 110, FLU),
            condition(2, 99, COUGH, 9),
        ],
        "observation": [
            event("observation", 2, 100, 31, 9.5, value_as_concept_id=4188540),
            event("observation", 2, 100, 31, 10),
        ],
    }
    write(tables, folder / "cdm", "parquet")
    return OmopSite.model_validate(
        {
            "adapter": "omop",
            "path": str(folder / "cdm"),
            "concept_sets": {"flu": {"concepts": [FLU]}},
            "cohort": {"index": {"visits": [9203]}, "outcome": "flu", "horizon_days": 30},
            "domains": ["condition", "observation", "person"],
        }
    )


def test_histories_of_omop_tables(tmp_path: Path) -> None:
    extract, histories = read(omop_site(tmp_path), omop_words(), FLU_TASK)
    assert [codes(histories.cohort, row) for row in range(2)] == [
        ["8507", "21", "21", "0 (J06)"],
        ["8507", "21", "31=4188540"],
    ]
    assert histories.cohort.visits.tolist() == [0, 1, 2, 2, 0, 1, 2]
    assert codes(histories.patients, 0)[-2:] == ["21", "11"]
    words = omop_words()
    recorded = [{words.concepts[t] for t in row} for row in extract.inputs["findings"]]
    assert recorded == [{"21", "8507"}, {"21", "31", "8507"}]


def test_persons_of_omop_tables_are_asked_for_by_times(tmp_path: Path) -> None:
    """Their histories are those of a study with these index times, also in parts of one person."""
    given = omop_site(tmp_path)
    extract, histories = read(given, omop_words(), FLU_TASK)
    names = extract.encounters.table["encounter"].to_pylist()
    people, texts = zip(*(name.split("@") for name in names), strict=True)
    times = [datetime.datetime.fromisoformat(text) for text in texts]
    columns = {"subject_id": list(map(int, people)), "prediction_time": times}
    labels = tmp_path / "times.parquet"
    pq.write_table(pa.table(columns), labels)
    with omop.asked_patients(given, labels, Path("/")) as asked:
        (ids, whole), *_ = asked.histories()
        parts = list(asked.histories(at_once=1))
    assert ids.to_pylist() == names
    assert [part.to_pylist() for part, _ in parts] == [[name] for name in names]
    for row in range(len(names)):
        expected = histories.cohort.select(np.array([row]))
        for found in (whole.select(np.array([row])), parts[row][1]):
            assert codes(found, 0) == codes(expected, 0)
            for name in ("visits", "days", "ages", "index_days"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    with omop.asked_patients(given, None, Path("/")) as asked:
        ((_, last),) = asked.histories()
    assert codes(last, 0)[-1] == "11"
    back = given.model_copy(
        update={"cohort": given.cohort.model_copy(update={"look_back_days": 70})}
    )
    with omop.asked_patients(back, labels, Path("/")) as asked:
        ((_, recent),) = asked.histories()
    assert codes(recent, 0) == ["8507", "21", "0 (J06)"]


@pytest.fixture(scope="module")
def synthea(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Event]]:
    made = synthea_events(shared_data)
    return write_meds(tmp_path_factory.mktemp("synthea"), made), made


@pytest.fixture(scope="module")
def eicu(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[tuple[Event, str | None]]]:
    made = eicu_events(shared_data)
    given, stays = zip(*made, strict=True)
    return write_meds(tmp_path_factory.mktemp("eicu"), given, visits=stays), made


def vocabulary_of(given: Iterable[Event]) -> Vocabulary:
    names = sorted({code for _, _, code, *_ in given if not code.startswith("MEDS_")})[:400]
    rows = [(name, name, "finding", "present", name, "") for name in names]
    return Vocabulary(*map(tuple, zip(*rows, strict=True)))


def expected(given: Iterable[Event], subject: int, until: datetime.datetime) -> list[str]:
    own = [(time, code) for p, time, code, *_ in given if p == subject]
    own = [pair for pair in own if not pair[1].startswith("MEDS_")]
    always = sorted(code for time, code in own if time is None)
    return always + [c for _, c in sorted((t, c) for t, c in own if t is not None and t < until)]


def test_synthea_has_histories(synthea: tuple[Path, list[Event]]) -> None:
    folder, made = synthea
    cohort = {"index": ["SNOMED/73595000"], "outcome": ["SNOMED/444814009"], "which": "every"}
    cohort |= {"horizon_days": 730, "follow_up": "not required"}
    words = vocabulary_of(made)
    given = MedsSite.model_validate({"adapter": "meds", "path": str(folder), "cohort": cohort})
    extract, histories = read(given, words)
    by_subject: dict[int, list[Event]] = {}
    for one in made:
        by_subject.setdefault(one[0], []).append(one)
    names = extract.encounters.table["encounter"].to_pylist()
    for row, (subject, time) in enumerate(name.split("@") for name in names):
        until = datetime.datetime.fromisoformat(time)
        own = by_subject[int(subject)]
        assert codes(histories.cohort, row) == expected(own, int(subject), until)
    assert as_findings(histories.cohort, words) == without_bins(extract, words)
    dated = {p for p, time, code, *_ in made if time and not code.startswith("MEDS_")}
    assert histories.patient_ids.to_pylist() == [str(p) for p in sorted(dated)]
    for row, subject in enumerate(sorted(dated)):
        whole = expected(by_subject[subject], subject, datetime.datetime.max)
        assert codes(histories.patients, row) == whole


def test_eicu_has_histories(eicu: tuple[Path, list[tuple[Event, str | None]]]) -> None:
    folder, made = eicu
    for file in sorted((folder / "data").rglob("*.parquet")):
        meds.DataSchema.validate(pq.read_table(file))
    cohort = {"index": ["ICU_ADMISSION"], "outcome": ["MEDS_DEATH"], "after_hours": 24}
    cohort |= {"horizon_days": 90, "follow_up": "not required"}
    words = vocabulary_of([one for one, _ in made])
    given = MedsSite.model_validate({"adapter": "meds", "path": str(folder), "cohort": cohort})
    extract, histories = read(given, words)
    assert (len(extract), extract.encounters.labels.sum()) == (1_387, 126)
    assert as_findings(histories.cohort, words) == without_bins(extract, words)
    by_subject: dict[int, list[tuple[Event, str | None]]] = {}
    for one in made:
        by_subject.setdefault(one[0][0], []).append(one)
    names = extract.encounters.table["encounter"].to_pylist()
    for row, (subject, time) in enumerate(name.split("@") for name in names):
        until = datetime.datetime.fromisoformat(time)
        own = by_subject[int(subject)]
        assert sorted(codes(histories.cohort, row)) == sorted(
            expected([each for each, _ in own], int(subject), until)
        )
        stays = {stay for (_, t, *_), stay in own if stay is not None and t and t < until}
        start, stop = histories.cohort.codes.offsets[row : row + 2]
        numbers = set(histories.cohort.visits[start:stop].tolist()) - {BACKGROUND}
        assert numbers == set(range(1, len(stays) + 1))
    assert histories.report()["encounters"]["without_events"] == 0
