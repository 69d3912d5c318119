"""Comma-separated tables read as Python's csv module reads them, whatever their size."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_transfer.errors import StudyError
from concept_transfer.sites.csv_files import csv_header, read_csv
from concept_transfer.sites.files import header

CELLS = st.text(st.sampled_from('xé ",\n'), max_size=5)
PIECES = ["x", "é", " ", '"', ",", "\n", "\r\n", "1,2,3\n", '4,"5\n6",7\n']
NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def path() -> Path:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "t.csv"


def rows_of(path: Path, block_bytes: int) -> list[list[str]]:
    table = read_csv(path, NAMES, block_bytes)
    return [list(row) for row in zip(*(table[name].to_pylist() for name in NAMES), strict=True)]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=12),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    block_bytes=st.sampled_from([40, 64, 2**20]),
)
def test_what_was_written_is_read(
    path: Path, rows: list[list[str]], quoting: int, end: str, block_bytes: int
) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=quoting, lineterminator=end).writerows([NAMES, *rows])
    assert rows_of(path, block_bytes) == rows


@settings(max_examples=150, deadline=None)
@given(
    text=st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    block_bytes=st.sampled_from([40, 2**20]),
)
def test_what_is_no_table_is_refused(path: Path, text: str, block_bytes: int) -> None:
    """Any text: never other rows than the csv module's, never a file refused that it takes."""
    path.write_bytes(f"a,b,c\n{text}".encode())
    lenient, strict = (
        csv.reader(io.StringIO(text, newline=""), strict=strict) for strict in (False, True)
    )
    expected = [row for row in lenient if row]
    try:
        whole = all(len(row) in (0, 3) for row in strict)
    except csv.Error:
        whole = False
    try:
        found = rows_of(path, block_bytes)
    except StudyError:
        assert not whole
    else:
        assert found == expected


def test_a_quoted_line_end_at_the_border_of_a_block_makes_no_row(path: Path) -> None:
    """Above 16 MiB a file is read in blocks; a part of a straddling cell may look like a row."""
    rows = [[str(i), "1", "seen twice\n7,7,7" * 60] for i in range(20_000)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([NAMES, *rows])
    assert path.stat().st_size > 2**24
    table = read_csv(path, ["a", "b"])
    assert table["a"].to_pylist() == [row[0] for row in rows]
    assert set(table["b"].to_pylist()) == {"1"}


@pytest.mark.parametrize("cell", [0, 1, 2])
@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("count", [20, 9000])
def test_an_unclosed_quotation_mark_is_named_by_its_line(
    path: Path, cell: int, quoted: bool, count: int
) -> None:
    mark = '"' if quoted else ""
    lines = ["a,b,c"] + [f"{mark}p{i}{mark},{mark}q{mark},{mark}0{mark}" for i in range(count)]
    cells = [text.strip('"') for text in lines[7].split(",")]
    cells[cell] = f'"{cells[cell]}'
    lines[7] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(StudyError, match=r"t\.csv, line 8: a quotation mark .* not closed"):
        read_csv(path, ["a"])


def test_a_header_may_hold_line_ends_and_a_byte_order_mark(path: Path) -> None:
    path.write_text('"a\nof two",b\n1,"x\ny"\n2,z\n', encoding="utf-8-sig")
    assert csv_header(path) == ["a\nof two", "b"]
    table = read_csv(path, ["b", "a\nof two"])
    assert table.to_pydict() == {"b": ["x\ny", "z"], "a\nof two": ["1", "2"]}


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"north.{ending}"
    file.touch()
    with pytest.raises(StudyError, match=rf"north.{ending} is empty; a table starts with"):
        header(file)
