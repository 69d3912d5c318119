"""Cohort and findings from coded events, against a plain reference that walks event by event."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.cohort import (
    BEFORE,
    DEAD,
    LOST,
    SHORT,
    SOON,
    UNOBSERVED,
    by_labels,
    by_rule,
    encounters_of,
)
from concept_transfer.events.cohort_settings import Times, Window
from concept_transfer.events.database import database
from concept_transfer.events.findings import recorded
from concept_transfer.events.mapping import Meaning, by_name, check_units, write_mapping
from concept_transfer.events.quarantine import set_aside
from concept_transfer.settings.task import Task

START = datetime.datetime(2020, 1, 1)
CODES = ("cough", "fever", "visit", "flu")
EVENTS = pa.schema(
    [
        ("patient", pa.int64()),
        ("time", pa.timestamp("us")),
        ("code", pa.string()),
        ("value", pa.float64()),
        ("unit", pa.string()),
    ]
)
Event = tuple[int, int | None, str]  # patient, hour, code


def vocabulary() -> Vocabulary:
    rows = [
        ("cough", "cough", "finding", "present", "cough", ""),
        ("fever", "fever", "finding", "present", "fever", ""),
        ("flu", "flu", "finding", "present", "flu", ""),
        ("pulse", "pulse", "measurement", "below 90", "slow", "-inf"),
        ("pulse", "pulse", "measurement", "90 or more", "fast", "90"),
    ]
    return Vocabulary(*map(tuple, zip(*rows, strict=True)))


def at(hour: float) -> datetime.datetime:
    return START + datetime.timedelta(hours=hour)


def load(db: Any, events: Sequence[tuple[Any, ...]]) -> None:
    """Events as relations: patients are observed from their first event to their last."""
    rows = [
        (p, None if h is None else at(h), code, *(more or (None, None)))
        for p, h, code, *more in events
    ]
    table = pa.Table.from_pylist(
        [dict(zip(EVENTS.names, row, strict=True)) for row in rows], schema=EVENTS
    )
    db.register("given_events", table)
    db.execute("CREATE TABLE events AS SELECT * FROM given_events")
    db.execute(
        """
        CREATE VIEW observed AS SELECT patient, min(time) AS start, max(time) AS stop,
            min(time) FILTER (WHERE code = 'death') AS death FROM events GROUP BY patient;
        CREATE VIEW index_events AS SELECT patient, time FROM events WHERE code = 'visit';
        CREATE VIEW outcomes AS SELECT patient, time FROM events WHERE code = 'flu';
        CREATE VIEW outcome_codes AS SELECT 'flu' AS code;
        """
    )


def plain(
    events: Sequence[Event], times: Times
) -> tuple[dict[tuple[int, float], tuple[int, set[str]]], Counter[str]]:
    """(patient, index hour) -> label and codes, one patient after the other; and how many index
    events are left out, by the first reason that holds."""
    found: dict[tuple[int, float], tuple[int, set[str]]] = {}
    dropped = Counter[str]()
    for patient in {p for p, *_ in events}:
        own = [(h, code) for p, h, code in events if p == patient and h is not None]
        always = {code for p, h, code in events if p == patient and h is None}
        visits = sorted({h + times.after_hours for h, code in own if code == "visit"})
        if not own:
            continue
        first, last = min(h for h, _ in own), max(h for h, _ in own)
        flu = [h for h, code in own if code == "flu"]
        death = min((h for h, code in own if code == "death"), default=np.inf)
        for index in visits[:1] if times.which == "first" else visits:
            risk = index + 24 * times.gap_days, index + 24 * times.horizon_days
            washed = index - 24 * (np.inf if times.washout_days is None else times.washout_days)
            label = any(risk[0] <= h <= risk[1] for h in flu)
            followed = label or last >= risk[1] or death < np.inf
            reasons = {
                UNOBSERVED: index > last,
                DEAD: death < index,
                SHORT: index < first + 24 * times.min_history_days,
                BEFORE: times.washout_days != 0 and any(washed <= h < index for h in flu),
                SOON: any(index <= h < risk[0] for h in flu),
                LOST: times.follow_up == "required" and not followed,
            }
            if any(reasons.values()):
                dropped[next(reason for reason, holds in reasons.items() if holds)] += 1
                continue
            since = index - 24 * (times.look_back_days or np.inf)
            until = index + times.findings_after_hours
            codes = {code for h, code in own if since <= h < until and (h < index or code != "flu")}
            found[patient, index] = int(label), (codes | always) - {"visit", "death"}
    return found, dropped


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 4),
            st.one_of(st.none(), st.integers(0, 200)),
            st.sampled_from((*CODES, "death")),
        ),
        min_size=1,
        max_size=60,
    ),
    st.builds(
        Times,
        which=st.sampled_from(["first", "every"]),
        after_hours=st.sampled_from([0, 24]),
        horizon_days=st.sampled_from([2, 5]),
        gap_days=st.sampled_from([0, 1]),
        washout_days=st.sampled_from([None, 0, 3]),
        look_back_days=st.sampled_from([None, 2]),
        findings_after_hours=st.sampled_from([0, 12]),
        min_history_days=st.sampled_from([0, 1]),
        follow_up=st.sampled_from(["required", "not required"]),
    ),
)
def test_cohort_and_findings_are_those_of_a_plain_walk(events: list[Event], times: Times) -> None:
    expected, left_out = plain(events, times)
    words = vocabulary()
    with database() as db:
        load(db, events)
        if not expected:
            with pytest.raises(StudyError, match="cohort is empty"):
                by_rule(db, times)
            return
        dropped = by_rule(db, times)
        write_mapping(db, by_name(words, CODES), words)
        rows = recorded(db, words, Task(label="flu"), None).findings
        cohort = db.execute("SELECT patient, time, label FROM cohort ORDER BY row").fetchall()
    found = {
        (patient, (time - START).total_seconds() / 3600): (
            label,
            {words.concepts[token] for token in tokens},
        )
        for (patient, time, label), tokens in zip(cohort, rows, strict=True)
    }
    assert found == expected
    assert Counter(dropped) == left_out


def test_who_is_left_out_is_counted_by_reason_and_the_dead_are_followed_up() -> None:
    events = [(p, 0, "cough") for p in range(1, 10)] + [(3, 10, "visit")]
    events += [(p, 100, "visit") for p in range(1, 10) if p != 3]
    events += [(1, 150, "flu"), (4, 50, "flu"), (5, 110, "flu"), (2, 50, "death")]
    events += [(6, 339, "cough"), (7, 100, "death"), (8, 150, "death"), (9, 340, "cough")]
    times = Times(horizon_days=10, gap_days=1, min_history_days=1)
    with database() as db:
        load(db, events)
        dropped = by_rule(db, times)
        cohort = db.execute("SELECT patient, label FROM cohort ORDER BY row").fetchall()
    assert cohort == [(1, 1), (7, 0), (8, 0), (9, 0)]
    assert dropped == {UNOBSERVED: 0, DEAD: 1, SHORT: 1, BEFORE: 1, SOON: 1, LOST: 1}
    assert (dict(cohort), dropped) == (
        {patient: label for (patient, _), (label, _) in plain(events, times)[0].items()},
        dict.fromkeys(dropped, 0) | plain(events, times)[1],
    )


def test_a_tell_tale_code_at_the_index_time_is_no_finding() -> None:
    events = [(p, h, "fever") for p in (1, 2) for h in (100, 101)]
    events += [(1, 0, "cough"), (2, 0, "cough"), (1, 100, "visit"), (2, 100, "visit")]
    events += [(1, 110, "flu"), (1, 900, "cough"), (2, 900, "cough")]
    events += [(1, 9, "swab"), (1, 8, "swab"), (2, 9, "swab"), (2, 101, "swab"), (1, 9, "note")]
    words = vocabulary()
    with database() as db:
        load(db, events)
        by_rule(db, Times(horizon_days=30))
        write_mapping(db, by_name(words, CODES), words)
        made = recorded(db, words, Task(label="flu"), None, aside=["note"])
        encounters = encounters_of(db)
    assert [list(row) for row in made.findings] == [[0], [0]]
    assert made.use.unmapped == {"swab": 2}
    assert made.use.mapping() == {
        "codes": {"mapped": 1, "set_aside": 1, "unmapped": 1},
        "values": {"mapped": 2, "set_aside": 1, "unmapped": 2},
        "encounters": 2,
        "encounters_mapped": 2,
        "mapped_codes": {"cough": 2},
    }
    assert encounters.table["encounter"].to_pylist() == [
        "1@2020-01-05T04:00:00",
        "2@2020-01-05T04:00:00",
    ]
    assert encounters.labels.tolist() == [1, 0]


def test_the_last_number_before_the_index_counts_in_the_unit_of_the_bins() -> None:
    events = [(1, 5, "hr", 2.0, "beats/s"), (1, 3, "hr", 50.0, "beats/min"), (1, 9, "visit")]
    events += [(1, 8, "hr", float("nan"), "beats/min"), (2, 0, "cough"), (2, 9, "visit")]
    events += [(1, 10, "hr", 1.0, "beats/s"), (1, 99, "flu"), (2, 99, "cough")]
    words = vocabulary()
    units = {"beats/min": 1.0, "beats/s": 60.0}
    with database() as db:
        load(db, events)
        by_rule(db, Times(horizon_days=3))
        write_mapping(db, [Meaning("hr", "pulse", None, units)], words)
        check_units(db)
        rows = recorded(db, words, Task(label="flu"), None).findings
        assert [[words.states[t] for t in row] for row in rows] == [["90 or more"], []]
        for declared in ({}, {"beats/min": 1.0}):
            write_mapping(db, [Meaning("hr", "pulse", None, declared)], words)
            with pytest.raises(StudyError, match=r"2 of code hr in beats/s.*ever guessed"):
                check_units(db)


def test_labels_of_the_unknown_and_the_early_are_counted() -> None:
    with database() as db:
        load(db, [(1, 0, "cough"), (1, 20, "fever"), (2, 0, "cough"), (4, 30, "cough")])
        db.execute(
            "CREATE VIEW labels AS SELECT p AS patient, TIMESTAMP '2020-01-02' AS time, "
            "1::TINYINT AS label FROM (VALUES (1), (3), (4)) v(p)"
        )
        assert by_labels(db, Window()) == {
            "labels of patients without events": 1,
            "labels before the first event of the patient": 1,
        }
        assert encounters_of(db).table["patient"].to_pylist() == ["1"]
        words = vocabulary()
        write_mapping(db, by_name(words, CODES), words)
        db.execute("CREATE OR REPLACE VIEW outcome_codes AS SELECT '' AS code WHERE false")
        for window, expected in ((Window(), [0, 1]), (Window(look_back_days=0.5), [1])):
            by_labels(db, window)
            found = recorded(db, words, Task(label="flu"), None).findings
            assert [list(row) for row in found] == [expected]


def test_unusable_rows_are_set_aside_or_refused_and_their_values_are_not_kept() -> None:
    with database() as db:
        db.execute(
            """
            CREATE VIEW raw AS SELECT 'a.csv' AS file, i AS row,
            CASE WHEN i % 50 = 0 THEN NULL ELSE i END AS patient FROM range(1, 101) t(i)
            """
        )
        problems = {"without a patient": "patient IS NULL", "of patient 7": "patient = 7"}
        bad, total = set_aside(db, "raw", problems, 0.05)
        assert total == 100
        assert bad["row"].to_pylist() == [7, 50, 100]
        assert bad.column_names == ["file", "row", "reason"]
        with pytest.raises(
            StudyError, match=r"3 of 100 rows .*2 without a patient \(the first: a.csv, row 50\)"
        ):
            set_aside(db, "raw", problems, 0.02)


def test_labels_of_patients_of_whom_nothing_is_dated_are_counted() -> None:
    with database() as db:
        load(db, [(1, 0, "cough"), (2, None, "cough")])
        db.execute(
            "CREATE VIEW labels AS SELECT p AS patient, TIMESTAMP '2020-01-02' AS time, "
            "1::TINYINT AS label FROM (VALUES (1), (2)) v(p)"
        )
        assert by_labels(db, Window())["labels of patients without events"] == 1
        assert encounters_of(db).table["patient"].to_pylist() == ["1"]
