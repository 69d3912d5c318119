"""The predictions of one cell of the study, read from its blocks of replicates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from concept_transfer.cell import Cell
from concept_transfer.errors import StudyError

SCHEMA = pa.schema(
    {
        "replicate": pa.int16(),
        "fold": pa.int16(),
        "partition": pa.string(),
        "encounter": pa.string(),
        "label": pa.int8(),
    }
)
PROBABILITY = "probability"  # of two classes; of more, each has a column: probability_0, ...
ROUNDING = 1e-3  # by which the probabilities of several classes may miss a sum of 1
STATUSES = ("ok", "not estimable", "diverged")


@dataclass(frozen=True)
class LabelledPredictions:
    """Labelled predictions of one replicate, and the fold whose model each is of: arrays [m]
    (``probability`` [m, classes] of more than two classes)."""

    encounters: pa.Array
    labels: np.ndarray
    probability: np.ndarray
    fold: np.ndarray

    def of_fold(self, fold: int) -> LabelledPredictions:
        """The predictions of one fold's model."""
        return self._where(self.fold == fold)

    def among(self, encounters: pa.Array) -> LabelledPredictions:
        """The predictions of these encounters."""
        return self._where(pc.is_in(self.encounters, value_set=encounters).to_numpy(False))

    def of_class(self, number: int) -> LabelledPredictions:
        """The predictions of one of several classes against all others."""
        return replace(
            self,
            labels=(self.labels == number).astype(np.int8),
            probability=self.probability[:, number],
        )

    def _where(self, rows: np.ndarray) -> LabelledPredictions:
        names = self.encounters.filter(pa.array(rows))
        return LabelledPredictions(
            names, self.labels[rows], self.probability[rows], self.fold[rows]
        )


@dataclass(frozen=True)
class CellPredictions:
    """A cell's predictions on the target: the same test encounters for every replicate.

    ``encounters`` [n] (sorted strings), ``labels`` int8 [n], ``fold`` int16 [n] (in which each
    tests), ``probability`` float32 [replicates, n] of the second of two classes, or [replicates, n,
    classes] of more (NaN where a replicate was not estimable or diverged), ``replicates`` int
    [replicates] (their numbers, ascending), ``validation``: one sample a replicate, because each
    replicate draws its own labelled subset, ``records``: what training said of each replicate and
    fold.
    """

    cell: Cell
    encounters: pa.Array
    labels: np.ndarray
    fold: np.ndarray
    probability: np.ndarray
    replicates: np.ndarray
    validation: tuple[LabelledPredictions, ...]
    records: tuple[dict[str, Any], ...]

    @property
    def estimable(self) -> np.ndarray:
        """bool [replicates]: which replicates predicted every test encounter."""
        return np.asarray(
            ~np.isnan(self.probability).any(axis=tuple(range(1, self.probability.ndim)))
        )

    @property
    def classes(self) -> int:
        """How many classes the outcome has."""
        return 2 if self.probability.ndim == 2 else self.probability.shape[2]

    def of_class(self, number: int) -> CellPredictions:
        """The predictions of one of several classes against all others."""
        return replace(
            self,
            labels=(self.labels == number).astype(np.int8),
            probability=self.probability[..., number],
            validation=tuple(sample.of_class(number) for sample in self.validation),
        )


def cell_name(cell: Cell) -> str:
    """The cell as error messages write it: its pair, then its settings."""
    place = f"{cell.source} -> {cell.target}" if cell.source else cell.target
    return f"{place} / {cell.embedding} / {cell.classifier} / {cell.strategy} / {cell.size}"


def read_predictions(paths: Sequence[str | Path]) -> CellPredictions:
    """Read the block files of one cell.

    Raises StudyError where a file is not a predictions file, the blocks belong to different
    cells or have different classes, a replicate lacks a test encounter or has it twice, labels
    disagree, or a probability is missing although its replicate is recorded as ok.
    """
    if not paths:
        raise StudyError("A cell without predictions files cannot be evaluated; give its blocks.")
    blocks = [_read_block(Path(path)) for path in paths]
    cell = blocks[0][1]
    for path, (_, other, _) in zip(paths, blocks, strict=True):
        if other != cell:
            raise StudyError(
                f"{path} holds the cell {cell_name(other)}, but {paths[0]} holds "
                f"{cell_name(cell)}; the blocks of one cell belong together."
            )
    _check_same_classes(paths, [table for table, _, _ in blocks])
    table = pa.concat_tables([table for table, _, _ in blocks])
    records = tuple(record for _, _, block in blocks for record in block)
    replicates = np.unique(table["replicate"].to_numpy())
    where = f"The predictions of {cell_name(cell)}"
    test = table.filter(pc.equal(table["partition"], "test"))
    encounters, labels, fold, probability = _test_matrix(test, replicates, where)
    _check_missing(probability, replicates, records, where)
    validation = table.filter(pc.equal(table["partition"], "validation"))
    return CellPredictions(
        cell=cell,
        encounters=encounters,
        labels=labels,
        fold=fold,
        probability=probability,
        replicates=replicates,
        validation=tuple(
            _labelled(validation.filter(pc.equal(validation["replicate"], int(number))))
            for number in replicates
        ),
        records=records,
    )


def _read_block(path: Path) -> tuple[pa.Table, Cell, list[dict[str, Any]]]:
    if not path.is_file():
        raise StudyError(f"{path} does not exist; it should hold a block of predictions.")
    schema = pq.read_schema(path)
    expected = _expected_schema(schema.names)
    missing = [column for column in expected.names if column not in schema.names]
    if missing:
        raise StudyError(
            f"{path} lacks the column '{missing[0]}'; a predictions file has the columns "
            f"{', '.join(SCHEMA.names)} and {PROBABILITY}, or {_of_class(0)}, {_of_class(1)} and "
            "so on, one of each of more than two classes."
        )
    metadata = schema.metadata or {}
    for key in (b"cell", b"replicates"):
        if key not in metadata:
            raise StudyError(f"{path} lacks the metadata key '{key.decode()}' (JSON).")
    table = pq.ParquetFile(path).read(expected.names).cast(expected)
    records = json.loads(metadata[b"replicates"])
    for record in records:
        if record.get("status") not in STATUSES:
            raise StudyError(
                f"{path} records the status {record.get('status')!r} for replicate "
                f"{record.get('replicate')}; accepted are {', '.join(STATUSES)}."
            )
    return table, Cell(**json.loads(metadata[b"cell"])), records


def _expected_schema(present: Sequence[str]) -> pa.Schema:
    """The columns of a predictions file of as many classes as it has columns for."""
    classes = sum(name.startswith(_of_class("")) for name in present)
    names = [_of_class(number) for number in range(max(classes, 3))] if classes else [PROBABILITY]
    return pa.schema([*SCHEMA, *((name, pa.float32()) for name in names)])


def _of_class(number: int | str) -> str:
    return f"{PROBABILITY}_{number}"


def _check_same_classes(paths: Sequence[str | Path], tables: Sequence[pa.Table]) -> None:
    for path, table in zip(paths, tables, strict=True):
        if table.schema.names != tables[0].schema.names:
            counts = [_probabilities(t).shape[1:] or (2,) for t in (table, tables[0])]
            raise StudyError(
                f"{path} has probabilities of {counts[0][0]} classes, but {paths[0]} of "
                f"{counts[1][0]}; the blocks of one cell have the same classes. Remove them to "
                "have them made again."
            )


def _probabilities(table: pa.Table) -> np.ndarray:
    """float32 [rows], or [rows, classes] of more than two classes."""
    columns = [table[name].to_numpy() for name in table.schema.names[len(SCHEMA) :]]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def _test_matrix(
    test: pa.Table, replicates: np.ndarray, where: str
) -> tuple[pa.Array, np.ndarray, np.ndarray, np.ndarray]:
    """Encounters [n], labels [n], fold [n] and probability [replicates, n] or [replicates, n,
    classes] of the test rows."""
    encounters = pc.unique(test["encounter"])
    encounters = encounters.take(pc.array_sort_indices(encounters))
    row = np.searchsorted(replicates, test["replicate"].to_numpy())
    column = pc.index_in(test["encounter"], value_set=encounters).to_numpy()
    shape = (len(replicates), len(encounters))
    if shape[1] == 0:
        raise StudyError(f"{where} hold no test encounter.")
    times = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape)
    if (times != 1).any():
        r, c = np.argwhere(times != 1)[0]
        raise StudyError(
            f"{where} hold one test encounter {times[r, c]} times in replicate {replicates[r]}; "
            f"each of the {shape[1]} test encounters must appear once in every replicate."
        )
    labels = np.empty(shape, np.int8)
    labels[row, column] = test["label"].to_numpy()
    given = _probabilities(test)
    classes = (*given.shape[1:], 2)[0]
    if (labels != labels[0]).any() or not np.isin(labels[0], range(classes)).all():
        accepted = "neither 0 nor 1" if classes == 2 else f"not among 0 to {classes - 1}"
        raise StudyError(f"{where} hold a label that differs between replicates or is {accepted}.")
    fold = np.empty(shape[1], np.int16)
    fold[column] = test["fold"].to_numpy()
    probability = np.empty((*shape, *given.shape[1:]), np.float32)
    probability[row, column] = given
    if (probability < 0).any() or (probability > 1).any():
        raise StudyError(f"{where} hold a probability outside 0 to 1.")
    if classes > 2 and (np.abs(probability.sum(axis=2) - 1) > ROUNDING).any():
        raise StudyError(f"{where} hold probabilities of the classes that do not sum to 1.")
    return encounters, labels[0], fold, probability


def _check_missing(
    probability: np.ndarray,
    replicates: np.ndarray,
    records: Sequence[dict[str, Any]],
    where: str,
) -> None:
    failed = {record["replicate"] for record in records if record["status"] != "ok"}
    for number, row in zip(replicates, probability, strict=True):
        if np.isnan(row).any() and int(number) not in failed:
            raise StudyError(
                f"{where} lack {int(np.isnan(row).sum())} probabilities in replicate {number}, "
                "which is recorded as ok; only replicates that are not estimable or diverged "
                "may lack them."
            )


def _labelled(table: pa.Table) -> LabelledPredictions:
    return LabelledPredictions(
        encounters=table["encounter"].combine_chunks(),
        labels=table["label"].to_numpy().astype(np.int8),
        probability=_probabilities(table),
        fold=table["fold"].to_numpy(),
    )
