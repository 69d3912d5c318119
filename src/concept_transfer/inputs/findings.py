"""The input `findings`: the set of tokens that an encounter holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.input import Input
from concept_transfer.inputs.rows import CompressedRows

if TYPE_CHECKING:
    import pyarrow as pa

_ENCOUNTERS_A_ROW_GROUP = 100_000


def check(findings: CompressedRows, count: int, vocabulary: Vocabulary, where: str) -> None:
    """Raise StudyError unless `findings` holds a set of the vocabulary's tokens for each of
    `count` encounters, ascending."""
    findings.check(where, count, "tokens")
    if not findings.are_sets():
        raise StudyError(
            f"{where}: tokens of an encounter must be ascending, without repetition and not "
            "negative"
        )
    if len(findings.values) and int(findings.values.max()) >= len(vocabulary):
        raise StudyError(
            f"{where}: token {int(findings.values.max())} is outside the vocabulary of "
            f"{len(vocabulary)} tokens"
        )


def write(
    folder: Path, findings: CompressedRows, encounters: pa.Array, vocabulary: Vocabulary
) -> None:
    """Write ``offsets.npy`` and ``tokens.npy``, and ``findings.parquet``: a row a token, with the
    id of its encounter, its concept and its state."""
    np.save(folder / "offsets.npy", findings.offsets)
    np.save(folder / "tokens.npy", findings.values)
    _write_table(folder / "findings.parquet", findings, encounters, vocabulary)


def read(folder: Path) -> CompressedRows:
    """Memory-map what `write` wrote; needs no Parquet. Raises StudyError naming the folder."""
    try:
        offsets, tokens = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("offsets", "tokens")
        )
    except (FileNotFoundError, ValueError) as error:
        raise StudyError(
            f"{folder} is no complete folder of encounters ({error}); delete it and let the "
            "workflow write it again"
        ) from None
    if not len(offsets) or offsets[-1] != len(tokens):
        raise StudyError(
            f"{folder}: offsets.npy ({len(offsets)} entries, last {offsets[-1:]}) and tokens.npy "
            f"({len(tokens)}) do not belong together; delete the folder and let the workflow write "
            "it again"
        )
    return CompressedRows(offsets, tokens)


def _write_table(
    path: Path, findings: CompressedRows, encounters: pa.Array, vocabulary: Vocabulary
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    concept_of, concepts = _codes(vocabulary.concepts)
    state_of, states = _codes(vocabulary.states)
    text = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("encounter", text), ("concept", text), ("state", text)])
    with pq.ParquetWriter(path, schema, dictionary_pagesize_limit=2**26) as writer:
        for start in range(0, max(len(findings), 1), _ENCOUNTERS_A_ROW_GROUP):
            part = findings.part(start, start + _ENCOUNTERS_A_ROW_GROUP)
            columns = [
                pa.DictionaryArray.from_arrays(
                    part.owners.astype(np.int32), encounters.slice(start, len(part))
                ),
                pa.DictionaryArray.from_arrays(concept_of[part.values], concepts),
                pa.DictionaryArray.from_arrays(state_of[part.values], states),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _codes(values: Sequence[str]) -> tuple[NDArray[np.int32], pa.Array]:
    import pyarrow as pa

    encoded = pa.array(values, pa.string()).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int32), encoded.dictionary


FINDINGS = Input(
    files=("findings.parquet", "offsets.npy", "tokens.npy"),
    arrays=("offsets.npy", "tokens.npy"),
    check=check,
    write=write,
    read=read,
)
