"""Tables that leave a room have the columns that their schema names."""

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from concept_transfer.errors import StudyError
from concept_transfer.parquet import columns, read_table, table_of, write_rows

SCHEMA = pa.schema([("name", pa.string()), *columns(pa.float64(), ["lower", "upper"])])


def test_rows_are_read_back_and_what_they_lack_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_rows(path, [{"upper": 2.0, "name": "a"}, {"name": "b", "lower": math.nan}], SCHEMA)
    table = read_table(path, SCHEMA)
    assert table.schema == SCHEMA
    assert table.to_pylist()[0] == {"name": "a", "lower": None, "upper": 2.0}
    assert read_table(path, pa.schema([SCHEMA.field("upper")])).column_names == ["upper"]


def test_no_row_makes_a_table_with_all_columns() -> None:
    assert table_of([], SCHEMA).schema == SCHEMA


def test_a_column_that_no_schema_names_is_not_written() -> None:
    with pytest.raises(ValueError, match="level"):
        table_of([{"name": "a"}, {"name": "b", "level": 1.0}], SCHEMA)


def test_a_lacking_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    pq.write_table(pa.table({"name": ["a"], "lower": [0.5]}), path)
    with pytest.raises(StudyError, match=r"old\.parquet lacks the column 'upper'.*name, lower"):
        read_table(path, SCHEMA)


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    pq.write_table(pa.table({"name": ["a"], "lower": ["half"], "upper": [1.0]}), path)
    with pytest.raises(StudyError, match=r"another type .*lower \(double\)"):
        read_table(path, SCHEMA)
