"""Compressed rows: every operation against plain lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_transfer.errors import StudyError
from concept_transfer.inputs.registry import INPUTS
from concept_transfer.inputs.rows import CompressedRows, concatenated

WIDTH = 8
Lists = list[list[int]]
lists = st.lists(st.lists(st.integers(0, WIDTH - 1), max_size=5), max_size=9)


def compressed(rows: Lists) -> CompressedRows:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return CompressedRows(offsets, np.array([v for row in rows for v in row], np.int32))


def plain(rows: CompressedRows) -> Lists:
    rows.check("rows", len(rows))
    return [row.tolist() for row in rows]


@given(lists)
def test_rows_are_those_that_were_given(rows: Lists) -> None:
    found = compressed(rows)
    assert plain(found) == rows
    assert len(found) == len(rows)
    assert found.lengths.tolist() == [len(row) for row in rows]
    assert found.owners.tolist() == [i for i, row in enumerate(rows) for _ in row]
    assert found.equals(compressed(rows))
    assert not found.equals(compressed([*rows, []]))


@given(lists, st.data())
def test_chosen_rows_are_whole_and_in_order(rows: Lists, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)) if rows else []
    chosen = compressed(rows).select(np.array(places, np.int64))
    assert plain(chosen) == [rows[place] for place in places]
    start = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(start, len(rows) + 3))
    part = compressed(rows).part(start, stop)
    assert plain(part) == rows[start:stop]


@given(lists)
def test_counts_and_matrix_hold_every_occurrence(rows: Lists) -> None:
    expected = [[row.count(value) for value in range(WIDTH)] for row in rows]
    found = compressed(rows)
    assert found.matrix(WIDTH).toarray().tolist() == expected
    assert found.counts(WIDTH).tolist() == np.array(expected).reshape(-1, WIDTH).sum(0).tolist()


@given(st.lists(lists, max_size=4))
def test_parts_are_joined_in_order(parts: list[Lists]) -> None:
    joined = concatenated([compressed(rows) for rows in parts])
    assert plain(joined) == [row for rows in parts for row in rows]


@given(lists)
def test_sets_ascend_without_repetition(rows: Lists) -> None:
    assert compressed(rows).are_sets() == all(row == sorted(set(row)) for row in rows)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (CompressedRows(np.array([0, 1], np.int32), np.array([1], np.int32)), "offsets are int32"),
        (CompressedRows(np.array([0, 2]), np.array([1], np.int32)), "do not divide 1 values"),
        (CompressedRows(np.array([0, 1, 1]), np.array([1], np.int32)), "among 1 encounters"),
    ],
)
def test_what_breaks_the_form_is_said(rows: CompressedRows, said: str) -> None:
    with pytest.raises(StudyError, match=f"north: .*{said}"):
        rows.check("north", 1)


def test_every_array_of_an_input_is_one_of_its_files() -> None:
    assert all(set(kind.arrays) <= set(kind.files) for kind in INPUTS.values())
