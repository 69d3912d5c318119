"""The adapter `omop`: small tables of our own, as files and databases."""

from __future__ import annotations

import datetime
import gzip
import itertools
import json
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omop_tables import Row, write

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.database import database
from concept_transfer.events.omop.databases import without_password
from concept_transfer.events.omop.mapping import nearest_codes
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.omop import (
    check_omop,
    columns_of,
    read_histories,
    read_numbers,
    read_omop,
)
from concept_transfer.sites.omop_site import OmopSite
from concept_transfer.sites.warnings import site_warnings
from concept_transfer.study import load_study

FLU, AVIAN_FLU, COUGH, DRY_COUGH, FEVER, PULSE, OXYGEN = 11, 12, 21, 22, 31, 41, 51
ER, OFFICE, YES, NO, PER_MINUTE, PER_SECOND = 9203, 9202, 4188539, 4188540, 8541, 8555
NAMES = {
    FLU: "Influenza",
    AVIAN_FLU: "Avian influenza",
    COUGH: "Cough",
    DRY_COUGH: "Dry cough",
    FEVER: "Fever",
    PULSE: "Heart rate",
    OXYGEN: "Oxygen saturation",
    ER: "Emergency room visit",
    8507: "MALE",
}
BELOW = {(FLU, AVIAN_FLU), (COUGH, DRY_COUGH)}
TASK = Task(label="influenza")


def vocabulary() -> Vocabulary:
    rows = [
        ("21", "Cough", "finding", "present", "cough", ""),
        ("31", "Fever", "finding", "present", "fever", ""),
        ("31", "Fever", "finding", "absent", "no fever", ""),
        ("41", "Heart rate", "measurement", "below 90", "slow", "-inf"),
        ("41", "Heart rate", "measurement", "90 or more", "fast", "90"),
        ("51", "Oxygen saturation", "measurement", "low", "low oxygen", ""),
        ("51", "Oxygen saturation", "measurement", "normal", "normal oxygen", ""),
        ("8507", "Male", "sex", "present", "male", ""),
        ("age", "Age", "age", "below 40", "young", "-inf"),
        ("age", "Age", "age", "40 or more", "old", "40"),
    ]
    return Vocabulary(*map(tuple, zip(*rows, strict=True)))


IDS = itertools.count(1)


def at(day: int, hour: float = 0) -> datetime.datetime:
    return datetime.datetime(2020, 1, 1) + datetime.timedelta(days=day, hours=hour)


def on(day: int) -> datetime.date:
    return at(day).date()


def person(number: int, year: int = 1970) -> Row:
    return {"person_id": number, "gender_concept_id": 8507, "year_of_birth": year}


def period(number: int, start: int = 0, stop: int = 400) -> Row:
    return {
        "observation_period_id": 100 * number + start,
        "person_id": number,
        "observation_period_start_date": on(start),
        "observation_period_end_date": on(stop),
    }


def visit(
    number: int, day: int, hour: float | None = 10, kind: int = ER, care_site: int = 1
) -> Row:
    return {
        "visit_occurrence_id": 1000 * number + day,
        "person_id": number,
        "visit_concept_id": kind,
        "visit_start_date": on(day),
        "visit_start_datetime": None if hour is None else at(day, hour),
        "care_site_id": care_site,
    }


def condition(number: int, day: int, concept: int, hour: float | None = None, **more: Any) -> Row:
    return {
        "condition_occurrence_id": next(IDS),
        "person_id": number,
        "condition_concept_id": concept,
        "condition_start_date": on(day),
        "condition_start_datetime": None if hour is None else at(day, hour),
        **more,
    }


def event(table: str, number: int, day: int, concept: int, hour: float = 1, **more: Any) -> Row:
    return {
        f"{table}_id": next(IDS),
        "person_id": number,
        f"{table}_concept_id": concept,
        f"{table}_date": on(day),
        f"{table}_datetime": at(day, hour),
        **more,
    }


def concept_tables() -> dict[str, list[Row]]:
    concepts = [
        {"concept_id": c, "concept_name": name, "standard_concept": "S"}
        for c, name in NAMES.items()
    ]
    concepts.append({"concept_id": 99, "concept_name": "Grippe", "standard_concept": None})
    pairs = [(a, d, 1) for a, d in BELOW] + [(c, c, 0) for c in NAMES]
    return {
        "concept": concepts,
        "concept_ancestor": [
            {
                "ancestor_concept_id": a,
                "descendant_concept_id": d,
                "min_levels_of_separation": levels,
                "max_levels_of_separation": levels,
            }
            for a, d, levels in pairs
        ],
        "concept_relationship": [
            {"concept_id_1": 99, "concept_id_2": FLU, "relationship_id": "Maps to"}
        ],
    }


def small() -> dict[str, list[Row]]:
    """Persons 1 (influenza later), 2 (never), 3 (elsewhere) and 4 (influenza before)."""
    return {
        "cdm_source": [{"cdm_source_name": "ours", "cdm_version": "v5.4.0"}],
        "person": [person(1), person(2, 1990), person(3), person(4)],
        "observation_period": [period(n) for n in (1, 2, 3, 4)],
        "visit_occurrence": [
            visit(1, 100),
            visit(2, 100),
            visit(2, 50, kind=OFFICE),
            visit(3, 100, care_site=2),
            visit(4, 100),
        ],
        "condition_occurrence": [
            condition(1, 90, DRY_COUGH),
            condition(1, 100, FEVER),  # the day of the index, hour unknown: no finding
            condition(1, 110, AVIAN_FLU),
            condition(2, 99, COUGH, 5),
            condition(2, 98, 0, condition_source_value="R99"),
            condition(3, 120, FLU),
            condition(4, 20, FLU),
        ],
        "observation": [event("observation", 2, 99, FEVER, value_as_concept_id=NO)],
        "measurement": [
            event("measurement", 1, 99, PULSE, 1, value_as_number=70, unit_concept_id=PER_MINUTE),
            event("measurement", 1, 99, PULSE, 2, value_as_number=1.6, unit_concept_id=PER_SECOND),
            event(
                "measurement", 2, 99, OXYGEN, 1, value_as_number=88, range_low=92, range_high=100
            ),
        ],
        "drug_exposure": [],
        "procedure_occurrence": [],
        **concept_tables(),
    }


def site(path: Path | str | None = None, **changes: Any) -> OmopSite:
    return OmopSite.model_validate(
        {
            "adapter": "omop",
            "path": None if path is None else str(path),
            "concept_sets": {"influenza": {"concepts": [FLU]}},
            "cohort": {"index": {"visits": [ER]}, "outcome": "influenza", "horizon_days": 30},
            "descendants": True,
            "age": "age",
            "units": {PULSE: {PER_MINUTE: 1, PER_SECOND: 60}},
        }
        | changes
    )


def read(given: OmopSite) -> Extract:
    return read_omop(given, vocabulary(), TASK, Path("/"))


def texts(extract: Extract) -> dict[str, set[str]]:
    words = vocabulary().texts
    rows = extract.inputs["findings"]
    patients = extract.encounters.table["patient"].to_pylist()
    return {p: {words[t] for t in row} for p, row in zip(patients, rows, strict=True)}


@pytest.mark.parametrize("kind", ["parquet", "parts", "csv", "upper", "duckdb"])
def test_a_small_model_is_read_as_worked_out_by_hand(tmp_path: Path, kind: str) -> None:
    place = tmp_path / ("cdm.duckdb" if kind == "duckdb" else "cdm")
    write(small(), place, kind)
    check_omop(site(place), vocabulary(), TASK, Path("/"))
    made = read(site(place))
    assert made.encounters.table["encounter"].to_pylist() == [
        f"{n}@2020-04-10T10:00:00" for n in (1, 2, 3)
    ]
    assert made.encounters.labels.tolist() == [1, 0, 1]
    assert texts(made) == {
        "1": {"cough", "fast", "male", "old"},
        "2": {"cough", "no fever", "low oxygen", "male", "young"},
        "3": {"male", "old"},
    }
    assert made.report["unmapped"]["0 (R99)"] == 1
    assert made.report["dropped"] == {"outcome before the index": 1}
    assert made.report["events_known_by_the_day"] == 6
    assert made.set_aside is not None
    assert not len(made.set_aside)
    numbers = read_numbers(site(place), "41", vocabulary(), Path("/"))
    np.testing.assert_allclose(numbers, [96, np.nan, np.nan])
    assert columns_of(site(place), vocabulary(), Path("/")) == list(vocabulary().concept_states)


def test_care_sites_and_concept_sets_choose_the_index(tmp_path: Path) -> None:
    write(small(), tmp_path / "cdm", "parquet")
    with pytest.raises(StudyError, match="takes the value"):
        read(site(tmp_path / "cdm", care_sites=[2])).validate("site", vocabulary())
    made = read(site(tmp_path / "cdm", care_sites=[1]))
    assert made.encounters.table["patient"].to_pylist() == ["1", "2"]
    sets = {"influenza": {"concepts": [FLU]}, "cough": {"concepts": [COUGH]}}
    cohort = {"index": {"concept_set": "cough"}, "outcome": "influenza", "horizon_days": 30}
    made = read(site(tmp_path / "cdm", concept_sets=sets, cohort=cohort))
    assert made.encounters.table["encounter"].to_pylist() == [
        "1@2020-03-31T00:00:00",
        "2@2020-04-09T05:00:00",
    ]
    sets["cough"] |= {"descendants": False}
    with pytest.raises(StudyError, match=r"cohort is empty|takes the value"):
        read(site(tmp_path / "cdm", concept_sets=sets, cohort=cohort)).validate("s", vocabulary())


def test_death_is_an_outcome_and_its_day_counts_to_its_end(tmp_path: Path) -> None:
    tables = small() | {"death": [{"person_id": 2, "death_date": on(100)}]}
    write(tables, tmp_path / "cdm", "csv")
    cohort = {"index": {"visits": [ER]}, "outcome": "death", "horizon_days": 1}
    made = read(site(tmp_path / "cdm", cohort=cohort))
    labels = dict(
        zip(made.encounters.table["patient"].to_pylist(), made.encounters.labels, strict=True)
    )
    assert labels == {"1": 0, "2": 1, "3": 0, "4": 0}


def test_each_period_of_observation_counts_by_itself(tmp_path: Path) -> None:
    periods = [period(1, 0, 80), period(1, 81, 105), period(2, 90, 400), period(3, 0, 90)]
    periods += [period(4, 0, 60), period(4, 50, 102)]
    write(small() | {"observation_period": periods}, tmp_path / "cdm", "parquet")
    cohort = {
        "index": {"visits": [ER]},
        "outcome": "influenza",
        "horizon_days": 30,
        "min_history_days": 60,
        "washout_days": 0,
    }
    made = read(site(tmp_path / "cdm", cohort=cohort))
    assert made.encounters.table["patient"].to_pylist() == ["1"]
    assert made.report["dropped"] == {
        "not observed at the index time": 1,
        "observed for too short a time before the index": 1,
        "not observed until the end of the time at risk": 1,
    }


def test_periods_apart_are_not_one(tmp_path: Path) -> None:
    periods = [period(1, 0, 95), period(1, 98, 400), period(2), period(3, 0, 95), period(3, 96)]
    write(small() | {"observation_period": [*periods, period(4)]}, tmp_path / "cdm", "parquet")
    cohort = {"index": {"visits": [ER]}, "outcome": "influenza", "horizon_days": 30}
    made = read(site(tmp_path / "cdm", cohort=cohort | {"min_history_days": 9}))
    assert made.encounters.table["patient"].to_pylist() == ["2", "3"]


def test_an_answer_of_no_is_no_outcome(tmp_path: Path) -> None:
    asked = [
        event("observation", 2, 105, FLU, value_as_concept_id=NO),
        event("observation", 3, 105, FLU, value_as_concept_id=YES),
    ]
    tables = small() | {"observation": asked}
    tables["condition_occurrence"] = [condition(1, 110, FLU)]
    write(tables, tmp_path / "cdm", "parquet")
    assert read(site(tmp_path / "cdm")).encounters.labels.tolist() == [1, 0, 1, 0]


def test_ranges_give_flags_and_their_ends_are_normal(tmp_path: Path) -> None:
    numbers = {1: 92, 2: 91.9, 3: 99, 4: 100.1}  # a vocabulary without 'high' leaves the last out
    tables = small()
    tables["measurement"] = [
        event("measurement", n, 99, OXYGEN, value_as_number=x, range_low=92, range_high=100)
        for n, x in numbers.items()
    ]
    tables["condition_occurrence"] = [condition(1, 110, FLU)]
    write(tables, tmp_path / "cdm", "parquet")
    found = texts(read(site(tmp_path / "cdm")))
    flags = {n: [text for text in own if "oxygen" in text] for n, own in found.items()}
    assert flags == {"1": ["normal oxygen"], "2": ["low oxygen"], "3": ["normal oxygen"], "4": []}


BAD = {
    "without a person": condition(1, 5, COUGH, person_id=None),
    "of an unknown person": condition(77, 5, COUGH),
    "without a date": condition(1, 5, COUGH, condition_start_date=None),
    "at a time of another day than its date": condition(
        1, 5, COUGH, condition_start_datetime=at(6, 1)
    ),
    "ends before it starts": condition(1, 5, COUGH, condition_end_date=on(3)),
    "before birth": condition(1, -20000, COUGH),
}


def test_unusable_rows_are_set_aside_by_row_and_reason(tmp_path: Path) -> None:
    tables = small()
    tables["condition_occurrence"] += list(BAD.values())
    for kind in ("parquet", "csv"):
        write(tables, tmp_path / kind, kind)
        made = read(site(tmp_path / kind, max_corrupt=0.5))
        aside = made.set_aside
        assert aside is not None
        assert aside["reason"].to_pylist() == list(BAD)
        assert aside["row"].to_pylist() == list(range(8, 14))
        assert set(aside["file"].to_pylist()) == {f"condition_occurrence.{kind}"}
        assert made.report["quarantined"] == dict.fromkeys(BAD, 1)
        assert len(made) == 3
        with pytest.raises(StudyError, match=r"6 of 13 rows.*row 8\).*max_corrupt"):
            read(site(tmp_path / kind))


def test_malformed_lines_and_repeated_persons_are_set_aside(tmp_path: Path) -> None:
    write(small(), tmp_path / "cdm", "csv")
    with (tmp_path / "cdm" / "condition_occurrence.csv").open("a") as file:
        file.write("1,2,3\n")
    with (tmp_path / "cdm" / "person.csv").open("a") as file:
        file.write("4,8507,1980,,,\n")
    made = read(site(tmp_path / "cdm", max_corrupt=0.5))
    assert made.set_aside is not None
    found = made.set_aside.to_pylist()
    assert {"file": "condition_occurrence.csv", "row": 8, "reason": "no row of the table"} in found
    assert made.report["quarantined"]["with the id of another person"] == 2


EVERY = ["person", "observation_period", "visit_occurrence", "condition_occurrence"]


@pytest.mark.parametrize("kind", ["parquet", "parts", "csv", "duckdb"])
def test_copies_of_rows_are_read_once_and_counted(tmp_path: Path, kind: str) -> None:
    tables = small()
    write(tables, tmp_path / "once", kind)
    write(tables | {name: tables[name] * 2 for name in EVERY}, tmp_path / "twice", kind)
    once, twice = (read(site(tmp_path / name)) for name in ("once", "twice"))
    assert once.report["copies"] == {}
    assert twice.report["copies"] == {name: len(tables[name]) for name in EVERY}
    assert twice.report["rows_read"] == once.report["rows_read"] + sum(
        twice.report["copies"].values()
    )
    assert twice.encounters.table.equals(once.encounters.table)
    assert texts(twice) == texts(once)
    assert twice.report["quarantined"] == {}
    told = "\n".join(site_warnings({"a": twice}, {"a": []}))
    count = len(tables["person"])
    assert f"of the table person {count} rows are copies of another one, with its id" in told


def test_histories_hold_copies_once(tmp_path: Path) -> None:
    tables = small()
    write(tables, tmp_path / "once", "parquet")
    write(tables | {name: tables[name] * 2 for name in EVERY}, tmp_path / "twice", "parquet")
    made = []
    for name in ("once", "twice"):
        asked = site(tmp_path / name)
        made.append(read_histories(asked, read(asked).encounters, TASK, tmp_path).patients)
    names = [[history.names[code] for code in history.codes.values] for history in made]
    assert len(names[0]) > 8
    assert names[0] == names[1]
    assert np.array_equal(made[0].codes.offsets, made[1].codes.offsets)


@pytest.mark.parametrize("table", EVERY)
def test_rows_that_contradict_under_one_id_are_set_aside_or_refused(
    tmp_path: Path, table: str
) -> None:
    tables = small()
    last = tables[table][-1]
    other = {
        "person": {"year_of_birth": 1931},
        "observation_period": {"observation_period_end_date": on(399)},
        "visit_occurrence": {"care_site_id": 77},
        "condition_occurrence": {"condition_concept_id": FEVER},
    }[table]
    tables[table] = [*tables[table], last | other, last]
    write(tables, tmp_path / "cdm", "parquet")
    first = len(tables[table]) - 2
    said = f"2 with the id of another (row|person) .the first: {table}.parquet, row {first}"
    with pytest.raises(StudyError, match=said):
        read(site(tmp_path / "cdm"))
    made = read(site(tmp_path / "cdm", max_corrupt=0.9))
    assert made.set_aside is not None
    rows = [row for row in made.set_aside.to_pylist() if "id of another" in row["reason"]]
    assert [row["row"] for row in rows] == [first, first + 1]
    assert made.report["copies"] == {table: 1}
    told = "\n".join(site_warnings({"a": made}, {"a": []}))
    assert "rows that cannot be used are set aside in its quarantine.parquet: 2 with the id" in told


Graph = Mapping[int, set[int]]


def ancestors(parents: Graph, node: int) -> dict[int, int]:
    """Ancestor -> levels above, breadth first; the node itself at 0."""
    levels, waiting = {node: 0}, deque([node])
    while waiting:
        here = waiting.popleft()
        for parent in parents.get(here, ()):
            if parent not in levels:
                levels[parent] = levels[here] + 1
                waiting.append(parent)
    return levels


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_code_takes_the_meaning_of_its_nearest_ancestors(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    parents = {
        node: set(data.draw(st.lists(st.integers(0, node - 1), max_size=3)))
        for node in range(1, size)
    }
    codes = data.draw(st.lists(st.integers(0, size - 1), min_size=1, unique=True))
    above = {node: ancestors(parents, node) for node in range(size)}
    rows = [(a, node, n) for node, levels in above.items() for a, n in levels.items()]
    expected = {}
    for node, levels in above.items():
        near = {a: n for a, n in levels.items() if a in codes}
        if near:
            expected[node] = sorted(a for a, n in near.items() if n == min(near.values()))
    with database() as db:
        db.execute(
            "CREATE TABLE cdm_concept_ancestor (ancestor_concept_id INT, "
            "descendant_concept_id INT, min_levels_of_separation INT)"
        )
        db.executemany("INSERT INTO cdm_concept_ancestor VALUES (?, ?, ?)", rows)
        assert nearest_codes(db, codes) == expected


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(95, 105), st.one_of(st.none(), st.integers(0, 23))), min_size=1),
    st.one_of(st.none(), st.integers(0, 23)),
)
def test_no_event_at_or_after_the_index_is_a_finding(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[tuple[int, int | None]],
    hour: int | None,
) -> None:
    folder = tmp_path_factory.mktemp("cdm") / "cdm"
    tables = small() | {
        "visit_occurrence": [visit(1, 100, hour), visit(2, 100, hour)],
        "condition_occurrence": [
            condition(1, 110, FLU),
            *(condition(2, day, FEVER, known) for day, known in events),
        ],
        "observation": [],
    }
    write(tables, folder, "parquet")
    index = at(100, hour or 0)
    before = [  # what is known by its day alone, or at midnight, is known when the day has ended
        (at(day, known) if known else at(day + 1)) <= index if not known else at(day, known) < index
        for day, known in events
    ]
    assert ("fever" in texts(read(site(folder)))["2"]) == any(before)


WRONG = {
    "sources lacks the OMOP table observation_period": lambda t: t.pop("observation_period"),
    "lacks the OMOP table drug_exposure.*take 'drug' out of 'domains'": lambda t: t.pop(
        "drug_exposure"
    ),
    "lacks the OMOP table concept_ancestor.*Athena.*descendants: false": lambda t: t.pop(
        "concept_ancestor"
    ),
    "version of the OMOP model is '6.0'; 5.3 and 5.4": lambda t: t.update(
        cdm_source=[{"cdm_version": "6.0"}]
    ),
    "'v5.2'; 5.3": lambda t: t.update(cdm_source=[{"cdm_version": "v5.2"}]),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_tables_are_told_before_any_row(tmp_path: Path, message: str) -> None:
    tables = small()
    WRONG[message](tables)
    write(tables, tmp_path / "sources", "parquet")
    with pytest.raises(StudyError, match=message):
        check_omop(site(tmp_path / "sources"), vocabulary(), TASK, Path("/"))


def test_columns_that_lack_are_named(tmp_path: Path) -> None:
    write(small(), tmp_path / "cdm", "csv")
    file = tmp_path / "cdm" / "measurement.csv"
    file.write_text(file.read_text().replace("value_as_number", "value", 1))
    with pytest.raises(StudyError, match=r"measurement.csv lacks the column\(s\) value_as_number"):
        check_omop(site(tmp_path / "cdm"), vocabulary(), TASK, Path("/"))
    write(small(), tmp_path / "other", "parquet")
    file = tmp_path / "other" / "observation.parquet"
    pq.write_table(pq.read_table(file).drop(["observation_date"]), file)
    with pytest.raises(StudyError, match=r"\(s\) observation_date") as told:
        check_omop(site(tmp_path / "other"), vocabulary(), TASK, Path("/"))
    listed = str(told.value).partition("it has ")[2].split(" (")[0].split(", ")
    assert sorted(listed) == sorted(pq.read_schema(file).names)


def test_a_model_without_a_version_is_read_with_a_warning(tmp_path: Path) -> None:
    tables = small()
    del tables["cdm_source"]
    write(tables, tmp_path / "cdm", "parquet")
    (sentence,) = site_warnings({"here": read(site(tmp_path / "cdm"))}, {"here": []}, False)
    assert "here: its tables do not say their version" in sentence


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"concepts": [12345]}, r"concept_sets.influenza: .*no id 12345; .*11 \(Influenza\)"),
        ({"concepts": [99]}, r"99 \(Grippe\) is no standard concept.*maps to 11 \(Influenza\)"),
        ({"concepts": [FLU], "exclude": [FLU]}, "concept_sets.influenza holds no concept"),
    ],
)
def test_wrong_concept_sets_are_told_before_any_row(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    write(small(), tmp_path / "cdm", "parquet")
    with pytest.raises(StudyError, match=message):
        check_omop(
            site(tmp_path / "cdm", concept_sets={"influenza": given}),
            vocabulary(),
            TASK,
            Path("/"),
        )


def test_units_are_declared_and_never_guessed(tmp_path: Path) -> None:
    write(small(), tmp_path / "cdm", "parquet")
    with pytest.raises(StudyError, match=r"concept 41 have units.*1 of code 41 in 8555"):
        read(site(tmp_path / "cdm", units={}))


def test_times_with_a_zone_need_the_hospitals(tmp_path: Path) -> None:
    import duckdb

    write(small(), tmp_path / "cdm", "parquet")
    file = tmp_path / "cdm" / "visit_occurrence.parquet"
    duckdb.execute(
        f"COPY (SELECT * REPLACE (visit_start_datetime AT TIME ZONE 'UTC' AS visit_start_datetime) "
        f"FROM read_parquet('{file}')) TO '{tmp_path}/new.parquet'"
    )
    (tmp_path / "new.parquet").replace(file)
    with pytest.raises(StudyError, match=r"visit_start_datetime have a time zone.*time_zone"):
        check_omop(site(tmp_path / "cdm"), vocabulary(), TASK, Path("/"))
    made = read(site(tmp_path / "cdm", time_zone="America/New_York"))
    assert made.encounters.table["encounter"][0].as_py() == "1@2020-04-10T06:00:00"
    with pytest.raises(StudyError, match=r"rows cannot be used: .*another day"):
        read(site(tmp_path / "cdm", time_zone="Pacific/Kiritimati"))
    with pytest.raises(StudyError, match="no name of a time zone"):
        read(site(tmp_path / "cdm", time_zone="Mars"))


@pytest.mark.parametrize("zone", ["Z", "+00", "+0000", "+00:00"])
def test_times_with_a_zone_in_text_need_the_hospitals_too(tmp_path: Path, zone: str) -> None:
    write(small(), tmp_path / "cdm", "csv")
    file = tmp_path / "cdm" / "visit_occurrence.csv"
    file.write_text(re.sub(r"( \d\d:\d\d:\d\d)", rf"\1{zone}", file.read_text()))
    message = r"5 with a time that has a zone.*visit_occurrence.csv, row 1"
    with pytest.raises(StudyError, match=message):
        read(site(tmp_path / "cdm"))
    made = read(site(tmp_path / "cdm", time_zone="America/New_York"))
    assert made.encounters.table["encounter"][0].as_py() == "1@2020-04-10T06:00:00"


def test_a_zone_that_would_convert_nothing_is_refused(tmp_path: Path) -> None:
    write(small(), tmp_path / "cdm", "parquet")
    with pytest.raises(StudyError, match="no time of the tables has a zone"):
        check_omop(
            site(tmp_path / "cdm", time_zone="America/New_York"), vocabulary(), TASK, Path("/")
        )


def study(database: Any) -> dict[str, Any]:
    omop = site("cdm").model_dump(mode="json", exclude={"path"}) | {"database": database}
    return {
        "study": "s",
        "vocabulary": "v.tsv",
        "task": {"label": "influenza"},
        "sites": {"a": omop, "b": omop},
        "split": {"by": "folds"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
    }


def test_the_example_of_the_documentation_is_a_study() -> None:
    text = (Path(__file__).parents[1] / "docs" / "adapters.md").read_text(encoding="utf-8")
    section = text.partition("## `omop`")[2]
    example = re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0]
    found = load_study(yaml.safe_load(example)).sites["south"]
    assert isinstance(found, OmopSite)
    assert found.care_sites == [102]
    assert found.units == {3025315: {"9529": 1, "lbs": 0.4536}}
    again = OmopSite.model_validate(json.loads(found.model_dump_json()))
    assert again == found


def test_a_password_in_a_config_is_refused_and_not_shown() -> None:
    for url in ("postgresql://me:sesame@host/cdm", "postgresql://host/cdm?password=sesame"):
        with pytest.raises(StudyError, match=r"sites.a.*holds a password.*pgpass") as told:
            load_study(study(url))
        assert "sesame" not in str(told.value)
    load_study(study("postgresql://me@host/cdm"))
    with pytest.raises(StudyError, match="environment variable") as told:
        load_study(study({"url_from": "postgresql://me:sesame@host/cdm"}))
    assert "sesame" not in str(told.value)


def test_a_password_is_taken_out_of_a_url() -> None:
    assert without_password("postgresql://a:b%40c@h:1/d") == ("postgresql://a@h:1/d", "b@c")
    assert without_password("postgresql:///d?password=x&host=%2Ftmp") == (
        "postgresql:///d?host=%2Ftmp",
        "x",
    )
    assert without_password("postgresql://h/d") == ("postgresql://h/d", None)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_URL", raising=False)
    with pytest.raises(StudyError, match=r"NO_SUCH_URL is not set.*export NO_SUCH_URL=postgresql"):
        read(site(database={"url_from": "NO_SUCH_URL"}))


def test_tables_that_are_no_text_or_damaged_are_refused_by_name(tmp_path: Path) -> None:
    write(small(), tmp_path, "csv")
    path = next(file for file in tmp_path.iterdir() if file.stem.lower() == "person")
    path.write_bytes("person_id,gender_concept_id,year_of_birth\n1,8507,Müller\n".encode("latin-1"))
    with pytest.raises(StudyError, match="person"):
        read(site(tmp_path))
    path.unlink()
    (tmp_path / "person.csv.gz").write_bytes(b"\x1f\x8b\x08damaged")
    with pytest.raises(StudyError, match=r"person\.csv\.gz cannot be read"):
        read(site(tmp_path))


def long_csv(folder: Path, damage: Mapping[int, str]) -> Path:
    """Tables of which the conditions are many; damage: line -> the source value that it has."""
    write(small(), folder, "csv")
    file = folder / "condition_occurrence.csv"
    header, *lines = file.read_text().splitlines()
    contents = [line.partition(",")[2] for line in lines]
    rows = [header, *(f"{i},{contents[i % len(contents)]}" for i in range(30_000))]
    for line, value in damage.items():
        rows[line - 1] = rows[line - 1].rpartition(",")[0] + "," + value
    file.write_text("\n".join(rows) + "\n")
    return file


@pytest.mark.parametrize("line", [3, 25_000])
def test_an_open_quotation_mark_hides_no_rows(tmp_path: Path, line: int) -> None:
    long_csv(tmp_path / "cdm", {line: '"open'})
    message = rf"condition_occurrence.csv, line {line}: a quotation mark"
    with pytest.raises(StudyError, match=message):
        read(site(tmp_path / "cdm", max_corrupt=1))


def test_cells_over_several_lines_and_empty_lines_are_read(tmp_path: Path) -> None:
    file = long_csv(tmp_path / "cdm", {25_000: '"two\n\nlines, ""quoted"""'})
    with file.open("a") as lines:
        lines.write("\n\n")
    assert read(site(tmp_path / "cdm")).report["quarantined"] == {}
    write(small(), tmp_path / "tabs", "upper")
    with (tmp_path / "tabs" / "PERSON.CSV").open("a") as lines:
        lines.write("\n\n")
    assert read(site(tmp_path / "tabs")).report["quarantined"] == {}


def test_packed_files_are_read_to_their_end_or_refused(tmp_path: Path) -> None:
    file = long_csv(tmp_path / "cdm", {})
    whole = read(site(tmp_path / "cdm"))
    packed = gzip.compress(file.read_bytes())
    file.unlink()
    file = file.with_name("condition_occurrence.csv.gz")
    file.write_bytes(packed)
    again = read(site(tmp_path / "cdm"))
    assert again.inputs["findings"].equals(whole.inputs["findings"])
    file.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(StudyError, match=r"condition_occurrence\.csv\.gz cannot be read.*again"):
        read(site(tmp_path / "cdm"))


def test_text_that_is_no_utf8_is_refused_by_its_line(tmp_path: Path) -> None:
    file = long_csv(tmp_path / "cdm", {25_000: "fièvre"})
    assert read(site(tmp_path / "cdm")).report["quarantined"] == {}
    file.write_bytes(file.read_text().encode("latin-1"))
    with pytest.raises(StudyError, match=r"condition_occurrence.csv, line 25000: .*not UTF-8"):
        read(site(tmp_path / "cdm"))
    for content, words in ((b"", "no header"), ("é".encode("utf-16"), "UTF-8")):
        file.write_bytes(content)
        with pytest.raises(StudyError, match=words):
            check_omop(site(tmp_path / "cdm"), vocabulary(), TASK, Path("/"))
