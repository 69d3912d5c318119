"""Adapter of wide tables: one row an encounter, one column a finding."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import (
    PARTITIONS,
    Encounters,
    encounter_table,
    repeated_rows,
)
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.rows import CompressedRows, concatenated
from concept_transfer.settings.task import Task
from concept_transfer.sites.binning import states_of_numbers
from concept_transfer.sites.code_use import MAPPED, SET_ASIDE, UNMAPPED, CodeUse, code_use
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.files import TextColumn, read_table, text_column
from concept_transfer.sites.layout import Layout, TableFile, layout_of
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.spelling import (
    DROPPED,
    class_of_spelling,
    spelled,
    spelling_of_concept,
    tokens_of_column,
)
from concept_transfer.sites.tabular_site import TabularSite
from concept_transfer.sites.tokens import token_rows

_BLOCK = 100_000


def check_tabular(site: TabularSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check files, headers, crosswalk and spellings without reading a row (StudyError)."""
    class_of_spelling(site, task)
    layout_of(site, vocabulary, root)


def read_tabular(site: TabularSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Encounters, findings and ingest report of a tabular site.

    Rows are counted from 1 below the header, in errors and in the ids of encounters without an
    id column (`<file>:<row>`). Where several columns hold one concept, the state that the
    vocabulary lists first wins (present before absent). A state that the vocabulary lacks for a
    concept (absent, for complaints) counts as not recorded. Raises StudyError.
    """
    layout = layout_of(site, vocabulary, root)
    parts = [_read_file(site, vocabulary, task, layout, file) for file in layout.files]
    columns = {
        name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns
    }
    table = encounter_table(**columns)
    if site.encounter is not None:
        _check_unique(table.column("encounter"), parts, site)
    encounters = Encounters(table)
    rows_read = sum(part.rows_read for part in parts)
    use = reduce(add, (part.use for part in parts))
    missing = set(vocabulary.concept_states) - set(layout.concept_columns)
    report = ingest_report(
        encounters,
        rows_read,
        dropped={
            f"{site.label.column} is {' or '.join(site.label.drop)}": rows_read - len(encounters)
        },
        unmapped=use.unmapped,
        not_recorded=sum((part.not_recorded for part in parts), Counter())
        + Counter(dict.fromkeys(missing, len(encounters))),
        mapping=use.mapping() if site.crosswalk else None,
    )
    findings = concatenated([part.findings for part in parts])
    return Extract(encounters, {"findings": findings}, report)


@dataclass(frozen=True)
class _Part:
    """The kept rows of one file."""

    path: Path
    row_numbers: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    findings: CompressedRows
    rows_read: int
    use: CodeUse
    not_recorded: Counter[str]


class _Cells:
    """Cells of one file, looked up column by column with errors that name file, row, column."""

    def __init__(self, file: TableFile, columns: Mapping[str, TextColumn], show_values: bool):
        self.file = file
        self.columns = columns
        self.show_values = show_values

    def meanings(
        self, name: str, meaning: Mapping[str, Any], problem: str = "is none of"
    ) -> NDArray[Any]:
        """What every cell of a column means; every cell must be one of the spellings."""
        column = self.columns[name]
        self.refuse(
            name,
            [value for value in column.values if spelled(value) not in meaning],
            f"{problem} the declared spellings, which are "
            + ", ".join(f"'{spelling}'" for spelling in meaning)
            + " (case is ignored)",
        )
        unused = next(iter(meaning.values()))
        return np.array([meaning.get(spelled(v), unused) for v in column.values])[column.codes]

    def identifiers(self, name: str, key: str) -> NDArray[np.object_]:
        """Cells of a column that may not be empty."""
        self.refuse(name, [""], f"is empty, but '{key}' needs one in every row")
        return self.columns[name].texts()

    def dates(self, name: str) -> NDArray[np.object_]:
        """Days of a column of ISO dates or timestamps; an empty cell is null."""
        column = self.columns[name]
        days = [_day(value) for value in column.values]
        bad = [v for v, day in zip(column.values, days, strict=True) if v and day is None]
        self.refuse(name, bad, "is no date; dates are written YYYY-MM-DD")
        return np.array([*days, None], dtype=object)[column.codes]

    def refuse(self, name: str, values: list[str], problem: str) -> None:
        rows = self.columns[name].where(values)
        if not len(rows):
            return
        column = self.columns[name]
        value = f"'{column.values[column.codes[rows[0]]]}'" if self.show_values else "the value"
        raise StudyError(
            f"{self.file.path}, row {rows[0] + 1}, column '{name}': {value} {problem}; "
            f"{len(rows)} row(s) are affected"
            + ("" if self.show_values else " (show_values: true shows the value)")
        )


def _read_file(
    site: TabularSite, vocabulary: Vocabulary, task: Task, layout: Layout, file: TableFile
) -> _Part:
    roles = [site.label.column, site.encounter, site.patient, site.cluster, site.time]
    columns_read = [*roles, site.partition, *layout.without_concept]
    wanted = [name for name in columns_read if name is not None]
    for concept, names in layout.concept_columns.items():
        wanted += [] if concept in vocabulary.bins else names
    measured = [n for c in vocabulary.bins for n in layout.concept_columns.get(c, [])]
    table = read_table(file.path, list(dict.fromkeys(wanted + measured)))
    read = {name: text_column(table.column(name)) for name in dict.fromkeys(wanted)}
    cells = _Cells(file, read, site.show_values)
    label = cells.meanings(site.label.column, class_of_spelling(site, task)).astype(np.int8)
    kept = np.flatnonzero(label != DROPPED)
    count = len(label)

    columns: dict[str, NDArray[Any]] = {"label": label}
    columns["encounter"] = (
        np.array([f"{file.name}:{row}" for row in range(1, count + 1)], dtype=object)
        if site.encounter is None
        else cells.identifiers(site.encounter, "encounter")
    )
    nothing = np.full(count, None, dtype=object)
    columns["patient"] = (
        nothing if site.patient is None else cells.identifiers(site.patient, "patient")
    )
    if site.cluster is not None:
        columns["cluster"] = cells.identifiers(site.cluster, "cluster")
    else:
        columns["cluster"] = columns["encounter" if site.patient is None else "patient"]
    columns["time"] = nothing if site.time is None else cells.dates(site.time)
    if site.partition is None:
        columns["partition"] = np.full(count, file.partition, dtype=object)
    else:
        accepted = {partition: partition for partition in PARTITIONS} | {"": None}
        columns["partition"] = cells.meanings(site.partition, accepted)

    tokens, mapped = _tokens(site, vocabulary, layout, cells, table, kept)
    not_recorded = {c: int((token == len(vocabulary)).sum()) for c, token in tokens.items()}
    others = {SET_ASIDE: layout.set_aside, UNMAPPED: layout.unmapped}
    recorded = chain(
        ((name, MAPPED, np.flatnonzero(mask)) for name, mask in mapped.items()),
        (
            (name, fate, np.flatnonzero(read[name].texts()[kept] != ""))
            for fate, names in others.items()
            for name in names
        ),
    )
    return _Part(
        path=file.path,
        row_numbers=kept + 1,
        columns={name: values[kept] for name, values in columns.items()},
        findings=_findings(list(tokens.values()), len(kept), vocabulary, task),
        rows_read=count,
        use=code_use(recorded, len(kept)),
        not_recorded=Counter(not_recorded),
    )


def _tokens(
    site: TabularSite,
    vocabulary: Vocabulary,
    layout: Layout,
    cells: _Cells,
    table: pa.Table,
    kept: NDArray[np.int64],
) -> tuple[dict[str, NDArray[np.int32]], dict[str, NDArray[np.bool_]]]:
    """Token id of every kept row, one array a concept (len(vocabulary) where it has none), and
    for every column in which of these rows it gives one."""
    none = len(vocabulary)
    tokens: dict[str, NDArray[np.int32]] = {}
    recorded: dict[str, NDArray[np.bool_]] = {}
    for concept, names in layout.concept_columns.items():
        spellings = spelling_of_concept(site, vocabulary, concept)
        ids = {
            spelling: vocabulary.index.get((concept, state), none)
            for spelling, state in spellings.items()
        }
        read, problem = cells, "is none of"
        if bins := vocabulary.bins.get(concept):
            columns = {n: states_of_numbers(table.column(n), bins, spellings) for n in names}
            read, problem = (
                _Cells(cells.file, columns, cells.show_values),
                "is no number and none of",
            )
        token = np.full(len(kept), none, dtype=np.int32)
        for name in names:
            state = layout.states.get((name, concept))
            meaning = tokens_of_column(site, vocabulary, concept, state) if state else ids
            its = read.meanings(name, meaning, problem)[kept].astype(np.int32)
            token = np.minimum(token, its)
            recorded[name] = recorded.get(name, False) | (its < none)
        tokens[concept] = token
    return tokens, recorded


def _findings(
    tokens: list[NDArray[np.int32]], count: int, vocabulary: Vocabulary, task: Task
) -> CompressedRows:
    blocks = []
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        block = np.stack([token[start:stop] for token in tokens], axis=1).ravel()
        recorded = np.flatnonzero(block < len(vocabulary))
        rows = token_rows(recorded // len(tokens), block[recorded], stop - start, vocabulary, task)
        blocks.append(rows)
    return concatenated(blocks)


def _check_unique(ids: Any, parts: list[_Part], site: TabularSite) -> None:
    repeated = repeated_rows(ids)
    if not len(repeated):
        return
    first = ids[int(repeated[0])]
    starts = np.cumsum([0, *(len(part.row_numbers) for part in parts)])
    places = []
    for row in repeated:
        if ids[int(row)] == first:
            file = int(np.searchsorted(starts, row, side="right")) - 1
            part = parts[file]
            places.append(f"{part.path}, row {part.row_numbers[row - starts[file]]}")
    value = f" '{first}'" if site.show_values else ""
    raise StudyError(
        f"column '{site.encounter}': the encounter id{value} occurs more than once: "
        f"{'; '.join(places[:6])} ({len(repeated)} row(s) share their id with another); an "
        "encounter has one row and one id"
    )


def _day(value: str) -> datetime.date | None:
    try:
        return datetime.datetime.fromisoformat(value).date()
    except ValueError:
        return None
