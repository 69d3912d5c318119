"""Findings of a tabular site in long tables: one row a finding of an encounter.

Columns are read in batches and looked up code by code; no finding becomes an object of Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from concept_transfer.concepts.crosswalk import Crosswalk, Link
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows, concatenated
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.binning import numbers_of, states_of_numbers
from concept_transfer.sites.cells import Cells
from concept_transfer.sites.code_use import MAPPED, SET_ASIDE, UNMAPPED
from concept_transfer.sites.codes import crosswalk_of, links_of
from concept_transfer.sites.files import TextColumn, read_batches, text_column
from concept_transfer.sites.spelling import PRESENT, spelling_of_concept, tokens_of_column
from concept_transfer.sites.table_settings import LongTable, TableSite
from concept_transfer.sites.tokens import distinct, first_states, token_rows

_BLOCK = 100_000


@dataclass(frozen=True)
class LongFindings:
    """What long tables record of the kept encounters of a site.

    keys: encounter x tokens of the vocabulary + token, int64 [m], ascending; rows_read: all rows of
    the tables; elsewhere: those of encounters that the site does not have; recorded: code -> what
    becomes of it, and the encounters at which it is recorded, int64, ascending.
    """

    keys: NDArray[np.int64]
    rows_read: int
    elsewhere: int
    recorded: dict[str, tuple[str, NDArray[np.int64]]]

    def joined(
        self, wide: CompressedRows, vocabulary: Vocabulary, task: Task
    ) -> tuple[CompressedRows, dict[str, int]]:
        """What a task allows of these findings and those of the encounters' own columns, and the
        number of encounters that record each concept."""
        concepts, concept_of = list(vocabulary.concept_states), vocabulary.concept_numbers
        counts = np.zeros(len(concepts), np.int64)
        blocks = []
        for start in range(0, len(wide), _BLOCK):
            columns = wide.part(start, start + _BLOCK)
            ends = np.array([start, start + len(columns)]) * len(vocabulary)
            own = self.keys[slice(*np.searchsorted(self.keys, ends))] - ends[0]
            encounter, token = np.divmod(own, len(vocabulary))
            encounter = np.concatenate([columns.owners, encounter])
            token = np.concatenate([columns.values, token])
            encounter, token = first_states(encounter, token, vocabulary)
            counts += np.bincount(concept_of[token], minlength=len(concepts))
            blocks.append(token_rows(encounter, token, len(columns), vocabulary, task))
        return concatenated(blocks), dict(zip(concepts, counts.tolist(), strict=True))


def read_long(
    site: TableSite,
    long: LongTable,
    vocabulary: Vocabulary,
    crosswalk: Crosswalk | None,
    kept: pa.Array,
    dropped: pa.Array,
    root: Path,
) -> LongFindings:
    """Findings of the encounters whose ids are `kept`; those of `dropped` ones are left out.

    Spelling of states and numbers, and the crosswalk, are those of wide columns. As there, a code
    is recorded where a concept takes a state of it, or, without a concept, where a cell of state or
    value is not empty. Raises StudyError naming file, row and column, and where not one row is of
    an encounter of the site.
    """
    keys, rows_read, elsewhere = [np.zeros(0, np.int64)], 0, 0
    at: dict[str, list[NDArray[np.int64]]] = {}
    fates: dict[str, str] = {}
    for batch in _batches(site, long, kept, dropped, root):
        rows_read += len(batch.encounter)
        elsewhere += int((batch.encounter < 0).sum())
        links = links_of(batch.codes.values, crosswalk, vocabulary)
        found = [np.zeros(0, np.int64)]
        for code, rows in batch.rows_of_codes():
            its = links.get(code)
            fates[code] = UNMAPPED if its is None else MAPPED if its[0].concept else SET_ASIDE
            used = [] if fates[code] == MAPPED else [batch.filled(rows)]
            for link in its or ():
                if link.concept:
                    told, tokens = _tokens(site, long, vocabulary, batch, link, rows)
                    found.append(batch.encounter[told] * len(vocabulary) + tokens)
                    used.append(told)
            at.setdefault(code, []).append(distinct(batch.encounter[np.concatenate(used)]))
        keys.append(distinct(np.concatenate(found)))
    if rows_read and rows_read == elsewhere:
        raise StudyError(
            f"{', '.join(long.files)}: not one of {rows_read} rows is of an encounter of the site; "
            f"compare the ids in column '{long.encounter or site.encounter}' with those in column "
            f"'{site.encounter}' of the encounters"
        )
    recorded = {code: (fates[code], distinct(np.concatenate(rows))) for code, rows in at.items()}
    return LongFindings(distinct(np.concatenate(keys)), rows_read, elsewhere, recorded)


def long_numbers(
    site: TableSite,
    long: LongTable,
    concept: str,
    vocabulary: Vocabulary,
    kept: pa.Array,
    root: Path,
) -> NDArray[np.float64]:
    """The smallest number that a row of the concept has at each kept encounter, or NaN."""
    smallest = np.full(len(kept), np.nan)
    spellings = spelling_of_concept(site, vocabulary, concept)
    crosswalk = crosswalk_of(site, vocabulary, root)
    for batch in _batches(site, long, kept, kept.slice(0, 0), root):
        links = links_of(batch.codes.values, crosswalk, vocabulary)
        for code, rows in batch.rows_of_codes():
            if any(link.concept == concept for link in links.get(code, ())):
                column = batch.columns[long.value or long.state or ""].take(pa.array(rows))
                np.fmin.at(smallest, batch.encounter[rows], numbers_of(column, spellings))
    return smallest


@dataclass(frozen=True)
class _Batch:
    """Some rows of a file: each one's encounter (-1: not of the site; from `kept` on: dropped),
    code, and number in the file; and the columns of states and numbers."""

    path: Path
    first: int
    kept: int
    encounter: NDArray[np.int64]
    codes: TextColumn
    columns: dict[str, pa.Array]

    def rows_of_codes(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Every code with its rows that are of kept encounters."""
        rows = np.flatnonzero((self.encounter >= 0) & (self.encounter < self.kept))
        rows = rows[np.argsort(self.codes.codes[rows], kind="stable")]
        changes = np.flatnonzero(np.diff(self.codes.codes[rows])) + 1
        for same in np.split(rows, changes) if len(rows) else []:
            yield self.codes.values[self.codes.codes[same[0]]], same

    def filled(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the rows that have a state or value, if there are such columns."""
        told: NDArray[np.bool_] = np.full(len(rows), not self.columns)
        for column in self.columns.values():
            cells = text_column(column.take(pa.array(rows)))
            told |= np.array([text != "" for text in cells.values])[cells.codes]
        return np.asarray(rows[told])


def _batches(
    site: TableSite, long: LongTable, kept: pa.Array, dropped: pa.Array, root: Path
) -> Iterator[_Batch]:
    whose = long.encounter or site.encounter
    assert whose is not None
    told = [name for name in (long.state, long.value) if name is not None]
    known = pa.concat_arrays([kept, dropped])
    for path in [resolve(file, root) for file in long.files]:
        first = 1
        for table in read_batches(path, list(dict.fromkeys([whose, long.concept, *told]))):
            names = {name: text_column(table.column(name)) for name in (whose, long.concept)}
            cells = Cells(path, names, site.show_values, first + np.arange(table.num_rows))
            for name, key in ((whose, "encounter"), (long.concept, "concept")):
                cells.refuse(name, [""], f"is empty, but 'long.{key}' needs one in every row")
            places = pc.index_in(pa.array(names[whose].values, pa.string()), known).fill_null(-1)
            columns = {name: _plain(table.column(name)) for name in told}
            encounter = places.to_numpy().astype(np.int64)[names[whose].codes]
            yield _Batch(path, first, len(kept), encounter, names[long.concept], columns)
            first += table.num_rows


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """One array of the cells themselves, of which some rows are quickly taken."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)


def _tokens(
    site: TableSite,
    long: LongTable,
    vocabulary: Vocabulary,
    batch: _Batch,
    link: Link,
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those of the rows that record a state of the link's concept, and its token in each."""
    concept = link.concept
    bins = vocabulary.bins.get(concept)
    name = (bins and long.value) or long.state
    if name is None:
        token = vocabulary.index.get((concept, link.state or PRESENT))
        if bins or token is None:
            raise StudyError(
                f"{batch.path}, row {batch.first + rows[0]}, column '{long.concept}': concept "
                f"{concept} has the states {', '.join(vocabulary.concept_states[concept])}, but no "
                f"column says which; name it as 'long.{'value' if bins else 'state'}'"
            )
        return rows, np.full(len(rows), token)
    spellings = spelling_of_concept(site, vocabulary, concept)
    column = batch.columns[name].take(pa.array(rows))
    cells = states_of_numbers(column, bins, spellings) if bins else text_column(column)
    none = len(vocabulary)
    ids = {text: vocabulary.index.get((concept, state), none) for text, state in spellings.items()}
    if link.state:
        ids = tokens_of_column(site, vocabulary, concept, link.state)
    problem = "is no number and none of" if bins else "is none of"
    told = Cells(batch.path, {name: cells}, site.show_values, batch.first + rows)
    tokens = told.meanings(name, ids, problem).astype(np.int64)
    return rows[tokens < none], tokens[tokens < none]
