"""Long tables: one row a finding, with encounter, code and state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.progress import Progress
from concept_transfer.serving.coding import UNKNOWN, Coder, refuse_empty, some
from concept_transfer.serving.files import batches
from concept_transfer.sites.files import dictionary_encoded, text_column

CODES = ("concept", "code")
CELLS = ("state", "value")
ROWS_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class Order:
    """Tokens of a vocabulary in the order of their concepts.

    tokens: int64 [tokens], those of a concept side by side, ascending; places: where each stands.
    """

    vocabulary: Vocabulary

    @cached_property
    def concepts(self) -> NDArray[np.int64]:
        """The number of each token's concept."""
        number = {concept: i for i, concept in enumerate(self.vocabulary.concept_states)}
        return np.array([number[concept] for concept in self.vocabulary.concepts])

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        return np.argsort(self.concepts, kind="stable")

    @cached_property
    def places(self) -> NDArray[np.int64]:
        return np.argsort(self.tokens)


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
    code = next((name for name in CODES if name in columns), None)
    if code is None:
        raise StudyError(
            f"{path}: a long table has a column {' or '.join(CODES)}; it has {some(columns)}"
        )
    cells = [name for name in CELLS if name in columns]
    order, width = Order(coder.vocabulary), len(coder.vocabulary)
    numbers: dict[str, int] = {}
    keys, start = [np.zeros(0, np.int64)], 0
    for table in batches(path, [encounter, code, *cells], ROWS_AT_ONCE):
        names = text_column(table.column(encounter))
        refuse_empty(str(path), encounter, names.where([""]), start)
        number = np.array([numbers.setdefault(n, len(numbers)) if n else -1 for n in names.values])
        for row, said in _recorded(path, table, code, cells, coder, unknown, start):
            keys.append(number[names.codes[row]] * width + order.places[said])
        start += table.num_rows
    key = np.concatenate(keys)
    keys.clear()
    key.sort()
    ids = pa.array(list(numbers), pa.string())
    progress = Progress("encounters", len(ids))
    for first in range(0, len(ids), at_once):
        part = ids.slice(first, at_once)
        low, high = np.searchsorted(key, [first * width, (first + len(part)) * width])
        owner, place = np.divmod(key[low:high] - first * width, width)
        token = order.tokens[place]
        concept = owner * width + order.concepts[token]
        counts = np.diff(concept, prepend=-1) != 0
        yield part, coder.findings(owner[counts], token[counts], len(part))
        progress.advance(len(part))


def _recorded(
    path: Path,
    table: pa.Table,
    code: str,
    cells: list[str],
    coder: Coder,
    unknown: Counter[str],
    start: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Rows of a table and the tokens that they say, once for each concept of a code."""
    codes = text_column(table.column(code))
    of_code = [coder.meanings(value) for value in codes.values]
    strange = np.bincount(codes.codes, minlength=len(of_code))
    unknown.update(
        {
            value: int(count)
            for value, concepts, count in zip(codes.values, of_code, strange, strict=True)
            if value and not concepts and count
        }
    )
    column = dictionary_encoded(_cells(table, cells, coder))
    values = pa.concat_arrays([column.dictionary, pa.nulls(1, column.dictionary.type)])
    value = column.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
    pair, of_row = np.unique(
        codes.codes.astype(np.int64) * len(values) + value, return_inverse=True
    )
    code_of_pair, value_of_pair = np.divmod(pair, len(values))
    for place in range(max(map(len, of_code), default=0)):
        tokens = np.full(len(pair), coder.nothing, np.int32)
        for number in np.unique(code_of_pair):
            if place < len(of_code[number]):
                own = np.flatnonzero(code_of_pair == number)
                said = values.take(pa.array(value_of_pair[own]))
                tokens[own] = coder.tokens(of_code[number][place], said)
        if (tokens == UNKNOWN).any():
            row = int(np.argmax((tokens == UNKNOWN)[of_row]))
            where = f"{path}, row {start + row + 1}, column '{' or '.join(cells)}'"
            raise coder.refused(where, of_code[codes.codes[row]][place][0])
        rows = np.flatnonzero((tokens < coder.nothing)[of_row])
        yield rows, tokens[of_row[rows]]


def _cells(table: pa.Table, cells: list[str], coder: Coder) -> pa.ChunkedArray | pa.Array:
    """What each row says of its code: state, value where that is empty, or else present."""
    if not cells:
        word = coder.site.spelling.get("present", ["present"])[0]
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(table.num_rows, np.int32)), [word])
    if len(cells) == 1:
        return table.column(cells[0])
    first, second = (table.column(name).cast(pa.string()) for name in cells)
    empty = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(first, "")), "")
    return pc.if_else(empty, second, first)
