"""Encounters of a site in canonical form: a table, and its tokens as compressed sparse rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.private import private

SCHEMA = pa.schema(
    [
        pa.field("encounter", pa.string(), nullable=False),
        pa.field("patient", pa.string()),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("time", pa.date32()),
        pa.field("label", pa.int8(), nullable=False),
        pa.field("partition", pa.string()),
    ]
)
PARTITIONS = ("train", "validation", "test")
_ENCOUNTERS_A_ROW_GROUP = 100_000


@dataclass(frozen=True)
class Encounters:
    """All encounters of one site.

    `table` has the columns of SCHEMA, one row an encounter (n rows). Encounter i holds the
    tokens tokens[offsets[i]:offsets[i + 1]], ascending and without repetition
    (offsets int64 [n + 1], tokens int32 [offsets[n]]).
    """

    table: pa.Table
    offsets: NDArray[np.int64]
    tokens: NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def labels(self) -> NDArray[np.int8]:
        """Outcome of every encounter, 0 or 1, int8 [n]."""
        return np.asarray(self.table.column("label").to_numpy(), dtype=np.int8)

    def validate(self, where: str) -> None:
        """Check the contract; `where` names the site or folder in errors (StudyError)."""
        if not self.table.schema.equals(SCHEMA):
            raise StudyError(
                f"{where}: the encounter table has the columns {self.table.schema.names} with "
                f"types {[str(t) for t in self.table.schema.types]}; expected {SCHEMA.names} with "
                f"{[str(t) for t in SCHEMA.types]}"
            )
        for column in ("encounter", "cluster", "label"):
            nulls = pc.indices_nonzero(pc.is_null(self.table.column(column)))
            if len(nulls):
                raise StudyError(
                    f"{where}: column '{column}' is empty in {len(nulls)} row(s), first in row "
                    f"{nulls[0].as_py() + 1}; every encounter needs one"
                )
        unknown = set(pc.unique(self.table.column("partition")).to_pylist()) - {None, *PARTITIONS}
        if unknown:
            raise StudyError(
                f"{where}: unknown partition {sorted(unknown)}; "
                f"accepted are {', '.join(PARTITIONS)}"
            )
        repeated = repeated_rows(self.table.column("encounter"))
        if len(repeated):
            raise StudyError(
                f"{where}: encounter ids repeat: rows {_some(repeated + 1)} share theirs with "
                "another row; an encounter has one row"
            )
        labels = set(np.unique(self.labels).tolist())
        if labels != {0, 1}:
            raise StudyError(
                f"{where}: the label takes the value(s) {sorted(labels)} in {len(self)} "
                "encounters; a site needs encounters with label 0 and with label 1"
            )
        _check_csr(self.offsets, self.tokens, len(self), where)

    def write(self, folder: Path | str, vocabulary: Vocabulary, report: dict[str, Any]) -> None:
        """Check and write the files of `encounters/<site>/` (see docs/contracts.md)."""
        folder = Path(folder)
        where = f"site {folder.name}"
        self.validate(where)
        if len(self.tokens) and int(self.tokens.max()) >= len(vocabulary):
            raise StudyError(
                f"{where}: token {int(self.tokens.max())} is outside the vocabulary of "
                f"{len(vocabulary)} tokens"
            )
        with private(folder, "encounters"):
            pq.write_table(self.table, folder / "encounters.parquet")
            self._write_findings(folder / "findings.parquet", vocabulary)
            np.save(folder / "offsets.npy", self.offsets)
            np.save(folder / "tokens.npy", self.tokens)
            np.save(folder / "labels.npy", self.labels)
            text = json.dumps(report, indent=2) + "\n"
            (folder / "report.json").write_text(text, encoding="utf-8")

    def _write_findings(self, path: Path, vocabulary: Vocabulary) -> None:
        ids = self.table.column("encounter").combine_chunks()
        concept_of, concepts = _codes(vocabulary.concepts)
        state_of, states = _codes(vocabulary.states)
        text = pa.dictionary(pa.int32(), pa.string())
        schema = pa.schema([("encounter", text), ("concept", text), ("state", text)])
        with pq.ParquetWriter(path, schema, dictionary_pagesize_limit=2**26) as writer:
            for start in range(0, max(len(self), 1), _ENCOUNTERS_A_ROW_GROUP):
                stop = min(start + _ENCOUNTERS_A_ROW_GROUP, len(self))
                rows = np.repeat(
                    np.arange(stop - start, dtype=np.int32), np.diff(self.offsets[start : stop + 1])
                )
                tokens = self.tokens[self.offsets[start] : self.offsets[stop]]
                columns = [
                    pa.DictionaryArray.from_arrays(rows, ids.slice(start, stop - start)),
                    pa.DictionaryArray.from_arrays(concept_of[tokens], concepts),
                    pa.DictionaryArray.from_arrays(state_of[tokens], states),
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))

    @classmethod
    def read(cls, folder: Path | str) -> Encounters:
        """Read and check what `write` wrote; offsets and tokens stay memory-mapped."""
        folder = Path(folder)
        offsets, tokens, labels = read_arrays(folder)
        table = pq.ParquetFile(folder / "encounters.parquet").read().replace_schema_metadata(None)
        encounters = cls(table.cast(SCHEMA), offsets, tokens)
        encounters.validate(str(folder))
        if not np.array_equal(labels, encounters.labels):
            raise StudyError(
                f"{folder}: labels.npy and encounters.parquet disagree; delete the folder and "
                "let the workflow write it again"
            )
        return encounters


def read_arrays(
    folder: Path | str,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]]:
    """Memory-map (offsets [n + 1], tokens [offsets[n]], labels [n]) without reading Parquet."""
    folder = Path(folder)
    try:
        offsets, tokens, labels = (
            np.load(folder / f"{name}.npy", mmap_mode="r")
            for name in ("offsets", "tokens", "labels")
        )
    except (FileNotFoundError, ValueError) as error:
        raise StudyError(
            f"{folder} is no complete folder of encounters ({error}); delete it and let the "
            "workflow write it again"
        ) from None
    if len(offsets) != len(labels) + 1 or offsets[-1] != len(tokens):
        raise StudyError(
            f"{folder}: offsets.npy ({len(offsets)} entries, last {offsets[-1]}), labels.npy "
            f"({len(labels)}) and tokens.npy ({len(tokens)}) do not belong together; delete the "
            "folder and let the workflow write it again"
        )
    return offsets, tokens, labels


def encounter_table(
    encounter: Any,
    cluster: Any,
    label: Any,
    patient: Any = None,
    time: Any = None,
    partition: Any = None,
) -> pa.Table:
    """The table of Encounters from equally long columns (arrays, lists); None is all null."""
    columns = (encounter, patient, cluster, time, label, partition)
    arrays = [
        pa.nulls(len(label), field.type)
        if column is None
        else pa.array(column, type=field.type, from_pandas=True)
        for field, column in zip(SCHEMA, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def repeated_rows(ids: Any) -> NDArray[np.int64]:
    """Rows (from 0) of every id that occurs more than once, ascending."""
    codes = pc.dictionary_encode(ids)
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    indices = codes.indices.to_numpy()
    return np.flatnonzero(np.bincount(indices)[indices] > 1)


def _check_csr(
    offsets: NDArray[np.int64], tokens: NDArray[np.int32], count: int, where: str
) -> None:
    if offsets.dtype != np.int64 or tokens.dtype != np.int32:
        raise StudyError(
            f"{where}: offsets are {offsets.dtype} and tokens {tokens.dtype}; expected int64, int32"
        )
    sizes = np.diff(offsets)
    whole = len(offsets) == count + 1 and offsets[0] == 0 and offsets[-1] == len(tokens)
    if not whole or (sizes < 0).any():
        raise StudyError(
            f"{where}: offsets do not divide {len(tokens)} tokens among {count} encounters"
        )
    if not len(tokens):
        return
    rising = np.diff(tokens) > 0
    starts = offsets[1:-1]
    rising[starts[(starts > 0) & (starts < len(tokens))] - 1] = True
    if tokens.min() < 0 or not rising.all():
        raise StudyError(
            f"{where}: tokens of an encounter must be ascending, without repetition and not "
            "negative"
        )


def _codes(values: Sequence[str]) -> tuple[NDArray[np.int32], pa.Array]:
    encoded = pa.array(values, pa.string()).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int32), encoded.dictionary


def _some(rows: NDArray[np.int64], most: int = 6) -> str:
    shown = ", ".join(str(row) for row in rows[:most])
    return shown if len(rows) <= most else f"{shown}, ... ({len(rows)} in all)"
