"""Histories of coded events, against a plain reference that walks event by event."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.errors import StudyError
from concept_transfer.events.cohort import by_rule, encounters_of
from concept_transfer.events.cohort_settings import Times
from concept_transfer.events.database import database
from concept_transfer.events.histories import histories_of, visit_numbers
from concept_transfer.inputs.history import BACKGROUND, History, check
from concept_transfer.sites.histories import Histories

START = datetime.datetime(2020, 1, 1)
CODES = ("cough", "fever", "visit", "flu", "MEDS_BIRTH", "MEDS_DEATH")
TELL_TALE = "told afterwards"
TIMES = Times(horizon_days=2, follow_up="not required")
NAN = pytest.approx(math.nan, nan_ok=True)
EVENTS = pa.schema(
    [
        ("patient", pa.int64()),
        ("time", pa.timestamp("us")),
        ("code", pa.string()),
        ("visit", pa.string()),
    ]
)
Event = tuple[int, int | None, str, str | None]  # patient, hour, code, visit
SOMEBODY: list[Event] = [(9, 70, "cough", None), (9, 77, "visit", None)]
Row = list[tuple[str, int, float, float]]  # code, number of the visit, days, age
events = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.one_of(st.none(), st.sampled_from([0, 3, 24, 27, 60, 75, 150])),
        st.sampled_from(CODES),
        st.sampled_from([None, None, "ward", "clinic"]),
    ),
    min_size=1,
    max_size=60,
)


def load(db: Any, given: Sequence[Event]) -> None:
    """Events as relations; patients are observed from their first event to their last."""
    rows = [
        (p, None if h is None else START + datetime.timedelta(hours=h), *more)
        for p, h, *more in given
    ]
    columns = list(zip(*rows, strict=True)) or [()] * 4
    db.register("given_events", pa.table(list(map(list, columns)), schema=EVENTS))
    db.execute(
        """
        CREATE TABLE events AS SELECT *, NULL::DOUBLE AS value, NULL AS unit FROM given_events;
        CREATE VIEW observed AS SELECT patient, min(time) AS start, max(time) AS stop,
            NULL::TIMESTAMP AS death FROM events GROUP BY patient;
        CREATE VIEW index_events AS SELECT patient, time FROM events WHERE code = 'visit';
        CREATE VIEW outcomes AS SELECT patient, time FROM events WHERE code = 'flu';
        CREATE VIEW outcome_codes AS SELECT 'flu' AS code;
        CREATE VIEW births AS SELECT patient, min(time) AS time FROM events
            WHERE code = 'MEDS_BIRTH' AND time IS NOT NULL GROUP BY patient;
        """
    )


def walk(given: Sequence[Event], patient: int, since: float, until: float, index: float) -> Row:
    """The history of a patient, one event after the other."""
    own = [e for e in given if e[0] == patient and not e[2].startswith("MEDS_")]
    born = [h for p, h, code, _ in given if p == patient and code == "MEDS_BIRTH" and h is not None]
    row: Row = [
        (code, 0, math.nan, math.nan) for code in sorted(c for _, h, c, _ in own if h is None)
    ]
    held = [(h, visit, code) for _, h, code, visit in own if h is not None and since <= h < until]
    numbers: dict[object, int] = {}
    for hour, visit, code in sorted(held, key=lambda e: (e[0], e[1] or "", e[2])):
        key = visit or hour // 24
        number = numbers.setdefault(key, len(numbers) + 1)
        age = (hour - min(born)) / 24 / 365.25 if born else math.nan
        row.append((code, number, (index - hour) / 24, age))
    return row


def rows_of(history: History) -> list[Row]:
    owners = history.codes.owners
    found: list[Row] = [[] for _ in range(len(history))]
    for i, code in enumerate(history.codes.values):
        found[owners[i]].append(
            (
                history.names[code],
                int(history.visits[i]),
                float(history.days[i]),
                float(history.ages[i]),
            )
        )
    return found


def same(found: Row, expected: Row) -> None:
    assert [(code, visit) for code, visit, *_ in found] == [e[:2] for e in expected]
    for column in (2, 3):
        numbers = [[event[column] for event in row] for row in (found, expected)]
        np.testing.assert_allclose(*numbers, rtol=1e-6)


def made(given: Sequence[Event], times: Times) -> tuple[Histories, list[tuple[int, float]]]:
    """The histories, and (patient, index hour) of each row."""
    with database() as db:
        load(db, given)
        by_rule(db, times)
        rows = db.execute("SELECT patient, time FROM cohort ORDER BY row").fetchall()
        hours = [(p, (time - START).total_seconds() / 3600) for p, time in rows]
        return histories_of(db, encounters_of(db)), hours


@settings(max_examples=40, deadline=None)
@given(
    events,
    st.builds(
        Times,
        which=st.sampled_from(["first", "every"]),
        horizon_days=st.just(2),
        washout_days=st.just(0),
        look_back_days=st.sampled_from([None, 2]),
        findings_after_hours=st.sampled_from([0, 12]),
        follow_up=st.just("not required"),
    ),
    st.integers(0, 30),
)
def test_histories_are_those_of_a_plain_walk(given: list[Event], times: Times, later: int) -> None:
    """A tell-tale code at the index and after it is in no history of the cohort."""
    given = [*given, *SOMEBODY]
    visits = [(p, h) for p, h, code, _ in given if code == "visit" and h is not None]
    first = {p: min(h for q, h in visits if q == p) for p, _ in visits}
    index = first.items() if times.which == "first" else visits
    after = max((h for _, h in visits), default=0) if times.which == "every" else None
    told = [
        (p, (h if after is None else after) + more, TELL_TALE, None)
        for p, h in index
        for more in (0, later)
    ]
    histories, rows = made([*given, *told], times)
    assert TELL_TALE in histories.cohort.names
    for row, (patient, hour) in zip(rows_of(histories.cohort), rows, strict=True):
        since = hour - 24 * (times.look_back_days or math.inf)
        assert TELL_TALE not in {code for code, *_ in row}
        same(row, walk(given, patient, since, hour, hour))
    everything = [*given, *told]
    dated = {
        p: h
        for p, h, code, _ in sorted(everything, key=lambda e: e[1] or 0)
        if h is not None and not code.startswith("MEDS_")
    }
    assert histories.patient_ids.to_pylist() == [str(p) for p in sorted(dated)]
    for row, patient in zip(rows_of(histories.patients), sorted(dated), strict=True):
        same(row, walk(everything, patient, -math.inf, math.inf, dated[patient]))


def test_a_visit_that_is_interrupted_keeps_its_number() -> None:
    rows = np.array([0, 0, 0, 0, 0, 0, 2, 2, 2], np.int32)
    visits = np.array([0, 7, -3, 7, -3, -4, 7, 0 + 5, 7], np.int32)
    assert visit_numbers(rows, visits).tolist() == [0, 1, 2, 1, 2, 3, 1, 2, 1]
    assert visit_numbers(rows[:0], visits[:0]).tolist() == []


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3)), max_size=40).map(
        lambda pairs: sorted(pairs, key=lambda pair: (pair[0], pair[1] != BACKGROUND))
    )
)
def test_visits_are_numbered_as_they_begin(pairs: list[tuple[int, int]]) -> None:
    expected, numbers = [], dict[int, dict[int, int]]()
    for row, visit in pairs:
        own = numbers.setdefault(row, {BACKGROUND: BACKGROUND})
        expected.append(own.setdefault(visit, len(own)))
    rows, visits = np.array([*zip(*pairs, strict=True)] or [[], []], np.int32)
    assert visit_numbers(rows, visits).tolist() == expected


def test_a_timeline_of_a_hundred_thousand_events_and_patients_of_one_visit() -> None:
    long: list[Event] = [(1, hour, f"code {hour % 97}", None) for hour in range(100_000)]
    one: list[Event] = [(2, 5, "cough", None), (2, 5, "cough", None), (2, 6, "visit", None)]
    found = made([*long, (1, 99_990, "visit", None), *one], TIMES)
    cohort, patients = found[0].cohort, found[0].patients
    check(cohort, 2, None, "site")
    assert cohort.codes.lengths.tolist() == [99_990, 2]
    assert cohort.visits[[0, 24, 99_989]].tolist() == [1, 2, 99_989 // 24 + 1]
    assert patients.codes.lengths.tolist() == [100_001, 3]
    assert rows_of(cohort)[1] == [("cough", 1, pytest.approx(1 / 24), NAN)] * 2


def test_encounters_without_events_before_them_are_counted_and_not_all_may_be_so() -> None:
    events: list[Event] = [(1, 5, "visit", None), (1, 9, "cough", None), (1, None, "female", None)]
    with database() as db:
        load(db, events)
        by_rule(db, TIMES)
        with pytest.raises(StudyError, match="none of the 1 encounters has an event before its"):
            histories_of(db, encounters_of(db))
    found = made([*events, (2, 3, "cough", None), (2, 5, "visit", None)], TIMES)
    assert rows_of(found[0].cohort)[0] == [("female", 0, NAN, NAN)]
    assert found[0].report() == {
        "codes": 3,
        "encounters": {
            "rows": 2,
            "without_events": 1,
            "events": 1,
            "fewest": 1,
            "median": 1,
            "most": 1,
        },
        "patients": {
            "rows": 2,
            "without_events": 0,
            "events": 4,
            "fewest": 2,
            "median": 2,
            "most": 2,
        },
    }


def test_encounters_of_other_files_are_refused() -> None:
    events: list[Event] = [(p, h, c, None) for p in (1, 2) for h, c in ((1, "cough"), (5, "visit"))]
    with database() as db:
        load(db, events)
        by_rule(db, TIMES)
        encounters = encounters_of(db)
        fewer = Encounters(encounters.table.slice(1))
        with pytest.raises(StudyError, match="give 2 encounters, and not the 1 of"):
            histories_of(db, fewer)
        turned = Encounters(encounters.table.take([1, 0]))
        with pytest.raises(StudyError, match="one by one"):
            histories_of(db, turned)


def test_events_at_one_time_are_ordered_by_visit_and_code() -> None:
    events: list[Event] = [(1, 0, "b", "ward"), (1, 0, "z", None), (1, 0, "a", "ward")]
    histories, _ = made([*events, (1, 5, "visit", None)], TIMES)
    assert [row[:2] for row in rows_of(histories.cohort)[0]] == [("z", 1), ("a", 2), ("b", 2)]
