"""Wide tables: one row an encounter, one column a concept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from concept_transfer.cohorts.encounters import repeated_rows
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.serving.coding import UNKNOWN, Coder, ConceptState, refuse_empty, some
from concept_transfer.serving.files import batches
from concept_transfer.sites.files import dictionary_encoded, text_column


def read_wide(
    path: Path,
    columns: Sequence[str],
    encounter: str,
    coder: Coder,
    unknown: Counter[str],
    at_once: int,
) -> Iterator[tuple[pa.Array, CompressedRows]]:
    """Ids and findings of the encounters of a file, some at a time.

    Where several columns hold one concept, the state that the vocabulary lists first counts.
    unknown: gets the columns that are no concept, with their numbers of cells that are not empty.
    Raises StudyError naming file, row and column, at the end also for ids that repeat.
    """
    beside = {encounter, *coder.beside}
    columns_of: dict[str, list[tuple[str, ConceptState]]] = {}
    for name in columns:
        for meaning in coder.meanings(name) if name not in beside else []:
            columns_of.setdefault(meaning[0], []).append((name, meaning))
    if not columns_of:
        raise StudyError(
            f"{path}: no column is a concept of the model; the columns are {some(columns)}, the "
            f"model knows {some(coder.vocabulary.concept_states)}"
        )
    held = [name for columns in columns_of.values() for name, _ in columns]
    others = [name for name in columns if name not in {*held, *beside}]
    ids, start = [], 0
    for table in batches(path, list(dict.fromkeys([encounter, *held, *others])), at_once):
        names = text_column(table.column(encounter))
        refuse_empty(str(path), encounter, names.where([""]), start)
        ids.append(pa.array(names.texts(), pa.string()))
        yield ids[-1], _findings(path, table, columns_of, coder, start)
        unknown.update({name: n for name in others if (n := _filled(table.column(name)))})
        start += table.num_rows
    _refuse_repeated(path, encounter, ids)


def _findings(
    path: Path,
    table: pa.Table,
    columns_of: dict[str, list[tuple[str, ConceptState]]],
    coder: Coder,
    start: int,
) -> CompressedRows:
    rows, tokens = [], []
    for concept, names in columns_of.items():
        token = np.full(table.num_rows, coder.nothing, np.int32)
        for name, meaning in names:
            found = coder.tokens(meaning, table.column(name))
            if (unknown := np.flatnonzero(found == UNKNOWN)).size:
                row = start + int(unknown[0]) + 1
                raise coder.refused(f"{path}, row {row}, column '{name}'", concept)
            token = np.minimum(token, found)
        rows.append(np.flatnonzero(token < coder.nothing))
        tokens.append(token[rows[-1]])
    return coder.findings(np.concatenate(rows), np.concatenate(tokens), table.num_rows)


def _filled(column: pa.ChunkedArray) -> int:
    """Cells that are not empty."""
    coded = dictionary_encoded(column)
    texts = pc.utf8_trim_whitespace(coded.dictionary.cast(pa.string()))
    filled = pc.take(pc.not_equal(texts, ""), coded.indices)
    return int(pc.sum(filled).as_py() or 0)


def _refuse_repeated(path: Path, encounter: str, ids: list[pa.Array]) -> None:
    repeated = repeated_rows(pa.chunked_array(ids, pa.string()))
    if len(repeated):
        raise StudyError(
            f"{path}, column '{encounter}': encounter ids repeat: rows {repeated[0] + 1} and later "
            f"ones, {len(repeated):,} in all, share theirs with another row; an encounter of a "
            "wide table has one row (--layout long reads one row a finding)"
        )
