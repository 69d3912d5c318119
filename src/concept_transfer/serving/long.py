"""Long tables: one row a finding, with encounter, code and state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.progress import Progress
from concept_transfer.serving.coding import UNKNOWN, Coder, ConceptState, refuse_empty
from concept_transfer.serving.files import batches
from concept_transfer.serving.long_columns import STATE, VALUE, LongColumns, long_columns
from concept_transfer.sites.files import dictionary_encoded, text_column
from concept_transfer.sites.tokens import distinct, first_states

ROWS_AT_ONCE = 1 << 21


def read_long(
    path: Path,
    columns: Sequence[str],
    encounter: str,
    coder: Coder,
    unknown: Counter[str],
    at_once: int,
) -> Iterator[tuple[pa.Array, CompressedRows]]:
    """Ids and findings of the encounters of a file, in the order of their first rows.

    Rows of an encounter may be anywhere. A row whose code is empty is of an encounter, and no
    finding; a table without a column of states or values says what is present. Of several states of
    a concept at an encounter the first in the vocabulary counts. unknown: gets the codes that are
    no concept, with their numbers of rows. Raises StudyError naming file, row and column.
    """
    names = long_columns(path, columns, coder)
    width = len(coder.vocabulary)
    numbers: dict[str, int] = {}
    keys, start = [np.zeros(0, np.int64)], 0
    for table in batches(path, [encounter, names.code, *names.cells], ROWS_AT_ONCE):
        whose = text_column(_occurring(table.column(encounter)))
        refuse_empty(str(path), encounter, whose.where([""]), start)
        place = (numbers.setdefault(w, len(numbers)) if w else -1 for w in whose.values)
        number = np.fromiter(place, np.int64, len(whose.values))
        for row, said in _recorded(path, table, names, coder, unknown, start):
            keys.append(number[whose.codes[row]] * width + said)
        start += table.num_rows
    key = distinct(np.concatenate(keys))
    keys.clear()
    ids = pa.array(list(numbers), pa.string())
    progress = Progress("encounters", len(ids))
    for first in range(0, len(ids), at_once):
        part = ids.slice(first, at_once)
        low, high = np.searchsorted(key, [first * width, (first + len(part)) * width])
        owner, token = np.divmod(key[low:high] - first * width, width)
        yield part, coder.findings(*first_states(owner, token, coder.vocabulary), len(part))
        progress.advance(len(part))


def _occurring(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A column with the values of its rows alone, in their order: the dictionary of a file may be
    that of all its row groups, or of more rows than it has."""
    coded = dictionary_encoded(column)
    used = coded.indices.dictionary_encode()
    return pa.DictionaryArray.from_arrays(used.indices, coded.dictionary.take(used.dictionary))


def _recorded(
    path: Path,
    table: pa.Table,
    names: LongColumns,
    coder: Coder,
    unknown: Counter[str],
    start: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Rows of a table and the tokens that they say, once for each concept of a code."""
    codes = text_column(table.column(names.code))
    of_code = [coder.meanings(value) for value in codes.values]
    strange = np.bincount(codes.codes, minlength=len(of_code))
    unknown.update(
        {
            value: int(count)
            for value, concepts, count in zip(codes.values, of_code, strange, strict=True)
            if value and not concepts and count
        }
    )
    bins = coder.vocabulary.bins
    for cells, binned in ((names.states, False), (names.numbers, True)):
        column = _cells(table, cells)
        for place in range(max(map(len, of_code), default=0)):
            said = {
                number: concepts[place]
                for number, concepts in enumerate(of_code)
                if place < len(concepts) and (concepts[place][0] in bins) == binned
            }
            asked = np.zeros(len(of_code), bool)
            asked[list(said)] = True
            rows = np.flatnonzero(asked[codes.codes])
            tokens = _tokens(codes.codes[rows], column, rows, said, coder)
            if (tokens == UNKNOWN).any():
                wrong = rows[np.argmax(tokens == UNKNOWN)]
                concept = said[int(codes.codes[wrong])][0]
                raise _refused(f"{path}, row {start + wrong + 1}", names, cells, concept, coder)
            told = tokens < coder.nothing
            yield rows[told], tokens[told]


def _tokens(
    codes: NDArray[np.int32],
    column: pa.DictionaryArray | None,
    rows: NDArray[np.int64],
    said: dict[int, ConceptState],
    coder: Coder,
) -> NDArray[np.int32]:
    """What the cells of these rows say of their codes [rows]; column: None where there is none."""
    if column is None:
        present = {number: coder.named(meaning) for number, meaning in said.items()}
        return np.array([present[code] for code in codes.tolist()], np.int32)
    values = pa.concat_arrays([column.dictionary, pa.nulls(1, column.dictionary.type)])
    cell = column.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
    pair = pa.array(codes.astype(np.int64) * len(values) + cell[rows]).dictionary_encode()
    code_of_pair, cell_of_pair = np.divmod(pair.dictionary.to_numpy(), len(values))
    tokens = np.full(len(code_of_pair), coder.nothing, np.int32)
    for number in np.unique(code_of_pair):
        own = np.flatnonzero(code_of_pair == number)
        tokens[own] = coder.tokens(said[int(number)], values.take(pa.array(cell_of_pair[own])))
    found: NDArray[np.int32] = tokens[pair.indices.to_numpy()]
    return found


def _cells(table: pa.Table, names: Sequence[str]) -> pa.DictionaryArray | None:
    """What each row says of its code: the first of the columns that is not empty."""
    if len(names) < 2:
        return dictionary_encoded(table.column(names[0])) if names else None
    first, second = (table.column(name).cast(pa.string()) for name in names)
    empty = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(first, "")), "")
    return dictionary_encoded(pc.if_else(empty, second, first))


def _refused(
    row: str, names: LongColumns, cells: Sequence[str], concept: str, coder: Coder
) -> StudyError:
    """The error for a row that says no state of its concept."""
    if cells:
        return coder.refused(f"{row}, column '{' or '.join(cells)}'", concept)
    kind = "binned concepts" if concept in coder.vocabulary.bins else "concepts of several grades"
    return StudyError(
        f"{row}, column '{names.code}': '{concept}' is recorded, but the table has no column "
        f"'{STATE}' or '{VALUE}', which {kind} need; a site with 'long' (--config and --site) says "
        "which column it is where it has another name"
    )
