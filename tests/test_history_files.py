"""The input `history` on disk, and what breaks its form."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import BACKGROUND, FILES, HISTORY, History
from concept_transfer.inputs.registry import INPUTS
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.sites.histories import Histories, read_timelines
from concept_transfer.sites.site import read_inputs

NAMES = ("DX//a", 'LAB//"b"\n', "Größe")


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Histories of up to six rows, in the documented form."""
    lengths = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=6))
    codes, visits, days = [], [], []
    for background, dated in lengths:
        codes += draw(st.lists(st.integers(0, 2), min_size=background + dated, max_size=9))[
            : background + dated
        ]
        numbers = draw(st.lists(st.integers(1, 3), min_size=dated, max_size=dated))
        visits += [BACKGROUND] * background + numbers
        spans = draw(st.lists(st.floats(0, 9000, width=32), min_size=dated, max_size=dated))
        days += [np.nan] * background + sorted(spans, reverse=True)
    offsets = np.cumsum([0, *(sum(pair) for pair in lengths)], dtype=np.int64)
    return History(
        CompressedRows(offsets, np.array(codes, np.int32)),
        np.array(visits, np.int32),
        np.array(days, np.float32),
        np.array(days, np.float32) / 365,
        np.arange(len(lengths), dtype=np.float64),
        NAMES,
    )


def small() -> History:
    """Rows of one background code and two events, of none, and of one event."""
    return History(
        CompressedRows(np.array([0, 3, 3, 4]), np.array([2, 0, 1, 0], np.int32)),
        np.array([0, 1, 2, 1], np.int32),
        np.array([np.nan, 9, 2, 5], np.float32),
        np.array([np.nan, 40, 40.1, np.nan], np.float32),
        np.array([10.5, 11, 12]),
        NAMES,
    )


def same(one: History, other: History) -> None:
    assert one.codes.equals(other.codes)
    assert one.names == other.names
    for name in ("visits", "days", "ages", "index_days"):
        found, expected = getattr(one, name), getattr(other, name)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@given(history=histories())
def test_a_history_is_read_as_it_was_written(
    history: History, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("site")
    HISTORY.check(history, len(history), None, "site")
    HISTORY.write(folder, history, None, None)
    assert {file.name for file in folder.iterdir()} == set(FILES) == set(INPUTS["history"].arrays)
    found = read_inputs(folder, len(history), ["history"])["history"]
    same(found, history)
    assert isinstance(found.days, np.memmap)
    visits = np.split(history.visits, history.codes.offsets[1:])[:-1]
    assert found.dated.tolist() == [int((own > 0).sum()) for own in visits]


def test_rows_are_chosen_with_all_that_is_theirs() -> None:
    chosen = small().select(np.array([2, 0, 2]))
    assert [row.tolist() for row in chosen.codes] == [[0], [2, 0, 1], [0]]
    assert chosen.visits.tolist() == [1, 0, 1, 2, 1]
    assert chosen.index_days.tolist() == [12, 10.5, 12]
    HISTORY.check(chosen, 3, None, "site")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"days": np.array([np.nan, 9, 2, -1], np.float32)}, "after its index time"),
        ({"days": np.array([np.nan, 2, 9, 5], np.float32)}, "in the order of time"),
        ({"days": np.array([7, 9, 2, 5], np.float32)}, "0 just where an event has no time"),
        ({"visits": np.array([0, 1, 2, 0], np.int32)}, "0 just where an event has no time"),
        ({"visits": np.array([0, 1, 2, 1])}, r"visits .* int64 \[4\]; expected int32 \[4\]"),
        ({"ages": np.zeros(3, np.float32)}, r"ages .* \[3\]; expected float32 \[4\]"),
        ({"index_days": np.array([1, 2, np.nan])}, "no index time"),
        ({"names": NAMES[:2]}, "code 2 of a history is outside the 2 names"),
        (
            {
                "days": np.array([9, np.nan, 2, 5], np.float32),
                "visits": np.array([1, 0, 2, 1], np.int32),
            },
            "background first",
        ),
    ],
)
def test_what_breaks_the_form_is_said(changes: dict[str, Any], said: str) -> None:
    HISTORY.check(small(), 3, None, "north")
    with pytest.raises(StudyError, match=f"north: .*{said}"):
        HISTORY.check(replace(small(), **changes), 3, None, "north")
    with pytest.raises(StudyError, match="north: offsets do not divide 4 codes of histories"):
        HISTORY.check(small(), 4, None, "north")


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    HISTORY.write(tmp_path, small(), None, None)
    np.save(tmp_path / "history_visits.npy", np.zeros(3, np.int32))
    with pytest.raises(StudyError, match=r"history_visits\.npy 3.* delete its history_\* files"):
        HISTORY.read(tmp_path)
    (tmp_path / "history_visits.npy").unlink()
    with pytest.raises(StudyError, match=r"no complete histories .*history_visits\.npy"):
        HISTORY.read(tmp_path)
    HISTORY.write(tmp_path, small(), None, None)
    (tmp_path / "history_names.json").write_text('["DX//a", ')
    with pytest.raises(StudyError, match="no complete histories"):
        HISTORY.read(tmp_path)


def test_whole_records_are_read_with_their_patients(tmp_path: Path) -> None:
    cohort, timelines = tmp_path / "encounters" / "north", tmp_path / "timelines" / "north"
    ids = pa.array(["3", "7", "12"])
    Histories(small(), small(), ids).write(cohort, timelines)
    same(HISTORY.read(cohort), small())
    found, patients = read_timelines(timelines)
    same(found, small())
    assert patients.tolist() == ids.to_pylist()
    report = json.loads((cohort / "history_report.json").read_text())
    assert report["encounters"] == {
        "rows": 3,
        "without_events": 1,
        "events": 3,
        "fewest": 1,
        "median": 1.5,
        "most": 2,
    }
    for room in ("encounters", "timelines"):
        paths = [tmp_path / room, *(tmp_path / room).rglob("*")]
        rights = {oct(path.stat().st_mode & 0o777) for path in paths if path.is_dir()}
        assert rights == {"0o700"}
        assert {oct(p.stat().st_mode & 0o777) for p in paths if p.is_file()} == {"0o600"}
    HISTORY.write(timelines, small().select(np.array([1])), None, None)
    with pytest.raises(StudyError, match=r"patients\.parquet \(3 patients\) .*delete the folder"):
        read_timelines(timelines)
    (timelines / "patients.parquet").unlink()
    with pytest.raises(StudyError, match="no readable list of patients"):
        read_timelines(timelines)
