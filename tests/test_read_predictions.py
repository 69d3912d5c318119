"""Reading the predictions of a cell: blocks, folds, failures, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation_data import a_cell, encounter_ids, write_block

from concept_transfer.errors import StudyError
from concept_transfer.evaluation.cell_predictions import read_predictions

NAN = float("nan")
LABELS = {"a": 0, "b": 1, "c": 0}


def rows(replicate: int, order: str = "abc", shift: float = 0.0) -> list[tuple]:
    return [
        (replicate, "test", name, LABELS[name], 0.1 * i + shift)
        for i, name in enumerate(order, start=1)
    ]


def test_blocks_become_one_matrix_in_the_order_of_the_encounters(tmp_path: Path) -> None:
    first = write_block(tmp_path / "0.parquet", a_cell(), rows(0, "cab") + rows(1))
    second = write_block(
        tmp_path / "1.parquet", a_cell(), [*rows(2, shift=0.5), (2, "validation", "v", 1, 0.9)]
    )
    cell = read_predictions([second, first])
    assert cell.cell == a_cell()
    assert encounter_ids(cell).tolist() == ["a", "b", "c"]
    assert cell.labels.tolist() == [0, 1, 0]
    assert cell.replicates.tolist() == [0, 1, 2]
    expected = [[0.2, 0.3, 0.1], [0.1, 0.2, 0.3], [0.6, 0.7, 0.8]]
    np.testing.assert_allclose(cell.probability, expected, rtol=1e-6)
    assert [len(sample.labels) for sample in cell.validation] == [0, 0, 1]
    assert cell.validation[2].encounters.to_pylist() == ["v"]
    assert len(cell.records) == 3


def test_failed_replicates_are_kept_as_not_a_number(tmp_path: Path) -> None:
    failed = [(1, "test", name, label, NAN) for name, label in LABELS.items()]
    path = write_block(
        tmp_path / "0.parquet",
        a_cell(),
        [*rows(0), *failed, (1, "validation", "v", 0, NAN)],
        {1: "not estimable"},
    )
    cell = read_predictions([path])
    assert cell.estimable.tolist() == [True, False]
    assert np.isnan(cell.validation[1].probability).all()


def test_dictionary_columns_are_read_as_text(tmp_path: Path) -> None:
    path = write_block(tmp_path / "0.parquet", a_cell(), rows(0))
    table = pq.read_table(path)
    for name in ("partition", "encounter"):
        column = table.schema.get_field_index(name)
        table = table.set_column(column, name, table[name].dictionary_encode())
    pq.write_table(table, path)
    assert encounter_ids(read_predictions([path])).tolist() == ["a", "b", "c"]


def broken(tmp_path: Path, changed: list[tuple], **settings) -> None:
    read_predictions([write_block(tmp_path / "0.parquet", a_cell(), changed, **settings)])


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="2 times in replicate 0"):
        broken(tmp_path, [*rows(0), (0, "test", "a", 0, 0.5)])
    with pytest.raises(StudyError, match="0 times in replicate 1"):
        broken(tmp_path, [*rows(0), *rows(1)[:2]])
    with pytest.raises(StudyError, match="label that differs"):
        broken(tmp_path, [*rows(0), *rows(1)[:2], (1, "test", "c", 1, 0.5)])
    with pytest.raises(StudyError, match="lack 1 probabilities in replicate 0"):
        broken(tmp_path, [*rows(0)[:2], (0, "test", "c", 0, NAN)])
    with pytest.raises(StudyError, match="outside 0 to 1"):
        broken(tmp_path, rows(0, shift=2.0))
    with pytest.raises(StudyError, match="no test encounter"):
        broken(tmp_path, [(0, "validation", "a", 0, 0.5)])
    with pytest.raises(StudyError, match="status 'lost' for replicate 0"):
        broken(tmp_path, rows(0), failed={0: "lost"})


def test_files_that_are_no_predictions_of_the_cell(tmp_path: Path) -> None:
    first = write_block(tmp_path / "0.parquet", a_cell(), rows(0))
    other = write_block(tmp_path / "1.parquet", a_cell(strategy="linear"), rows(1))
    with pytest.raises(StudyError, match=r"holds the cell .*/ linear / 200, but"):
        read_predictions([first, other])
    with pytest.raises(StudyError, match=r"absent\.parquet does not exist"):
        read_predictions([tmp_path / "absent.parquet"])
    pq.write_table(pa.table({"replicate": [1]}), tmp_path / "2.parquet")
    with pytest.raises(StudyError, match="lacks the column 'fold'"):
        read_predictions([tmp_path / "2.parquet"])
    pq.write_table(pq.read_table(first).replace_schema_metadata(None), tmp_path / "3.parquet")
    with pytest.raises(StudyError, match="lacks the metadata key 'cell'"):
        read_predictions([tmp_path / "3.parquet"])
