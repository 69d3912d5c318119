"""Adapter of tables: one row an encounter, findings in its columns or in long tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
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
from concept_transfer.sites.cells import Cells
from concept_transfer.sites.code_use import CodeUse, code_use
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.files import read_table, text_column
from concept_transfer.sites.layout import Layout, TableFile, layout_of
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.spelling import (
    DROPPED,
    class_of_spelling,
    spelling_of_concept,
    tokens_of_column,
)
from concept_transfer.sites.table_settings import TableSite
from concept_transfer.sites.tabular_long import read_long
from concept_transfer.sites.tokens import token_rows

_BLOCK = 100_000


def check_tabular(site: TableSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check files, headers, crosswalk and spellings without reading a row (StudyError)."""
    class_of_spelling(site, task)
    layout_of(site, vocabulary, root)


def read_tabular(site: TableSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """Encounters, findings and ingest report of a tabular site.

    Rows are counted from 1 below the header, in errors and in the ids of encounters without an
    id column (`<file>:<row>`). Where several columns hold one concept, the state that the
    vocabulary lists first wins (present before absent). A state that the vocabulary lacks for a
    concept (absent, for complaints) counts as not recorded. Raises StudyError.
    """
    layout = layout_of(site, vocabulary, root)
    seen = of_every_finding(task) if site.long else task
    parts = [_read_file(site, vocabulary, seen, layout, file) for file in layout.files]
    columns = {
        name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns
    }
    table = encounter_table(**columns)
    if site.encounter is not None:
        _check_unique(table.column("encounter"), parts, site)
    encounters = Encounters(table)
    findings = concatenated([part.findings for part in parts])
    not_recorded = sum((part.not_recorded for part in parts), Counter())
    missing = set(vocabulary.concept_states) - set(layout.concept_columns)
    not_recorded += Counter(dict.fromkeys(missing, len(encounters)))
    recorded: dict[str, tuple[str, NDArray[np.int64]]] = {}
    rows_of_findings = {}
    if site.long:
        kept = table.column("encounter").chunk(0)
        dropped = pa.concat_arrays([part.dropped for part in parts])
        long = read_long(site, site.long, vocabulary, layout.crosswalk, kept, dropped, root)
        findings, counts = long.joined(findings, vocabulary, task)
        not_recorded = Counter({c: len(encounters) - n for c, n in counts.items()})
        recorded = long.recorded
        rows_of_findings = {"findings": {"rows_read": long.rows_read, "elsewhere": long.elsewhere}}
    use = _use(layout, parts, recorded)
    rows_read = sum(part.rows_read for part in parts)
    report = ingest_report(
        encounters,
        rows_read,
        dropped={
            f"{site.label.column} is {' or '.join(site.label.drop)}": rows_read - len(encounters)
        },
        unmapped=use.unmapped,
        not_recorded=not_recorded,
        mapping=use.mapping() if site.crosswalk or site.long else None,
    )
    return Extract(encounters, {"findings": findings}, report | rows_of_findings)


def of_every_finding(task: Task) -> Task:
    """The task before it leaves out or fills in any finding."""
    all_of_them = {"exclude_categories": [], "exclude_concepts": [], "not_recorded": "omit"}
    return task.model_copy(update=all_of_them)


@dataclass(frozen=True)
class _Part:
    """The kept rows of one file, in which of them each column records something, and the ids of
    the encounters that are dropped."""

    path: Path
    row_numbers: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    dropped: pa.Array
    findings: CompressedRows
    rows_read: int
    recorded: dict[str, NDArray[np.bool_]]
    not_recorded: Counter[str]


def _use(
    layout: Layout, parts: list[_Part], long: Mapping[str, tuple[str, NDArray[np.int64]]]
) -> CodeUse:
    """The use of the columns and of the codes of long tables, which may have names in common."""
    recorded = dict(long)
    for name, fate in layout.fates.items():
        rows = np.flatnonzero(np.concatenate([part.recorded[name] for part in parts]))
        recorded[name] = fate, np.union1d(rows, recorded[name][1]) if name in recorded else rows
    count = sum(len(part.row_numbers) for part in parts)
    return code_use(((code, *its) for code, its in recorded.items()), count)


def _read_file(
    site: TableSite, vocabulary: Vocabulary, task: Task, layout: Layout, file: TableFile
) -> _Part:
    roles = [site.label.column, site.encounter, site.patient, site.cluster, site.time]
    columns_read = [*roles, site.partition, *layout.unmapped, *layout.set_aside]
    wanted = [name for name in columns_read if name is not None]
    for concept, names in layout.concept_columns.items():
        wanted += [] if concept in vocabulary.bins else names
    measured = [n for c in vocabulary.bins for n in layout.concept_columns.get(c, [])]
    table = read_table(file.path, list(dict.fromkeys(wanted + measured)))
    read = {name: text_column(table.column(name)) for name in dict.fromkeys(wanted)}
    cells = Cells(file.path, read, site.show_values)
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

    tokens, recorded = _tokens(site, vocabulary, layout, cells, table, kept)
    not_recorded = {c: int((token == len(vocabulary)).sum()) for c, token in tokens.items()}
    for name in (*layout.unmapped, *layout.set_aside):
        recorded[name] = read[name].texts()[kept] != ""
    return _Part(
        path=file.path,
        row_numbers=kept + 1,
        columns={name: values[kept] for name, values in columns.items()},
        dropped=pa.array(columns["encounter"][label == DROPPED], pa.string()),
        findings=_findings(list(tokens.values()), len(kept), vocabulary, task),
        rows_read=count,
        recorded=recorded,
        not_recorded=Counter(not_recorded),
    )


def _tokens(
    site: TableSite,
    vocabulary: Vocabulary,
    layout: Layout,
    cells: Cells,
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
                Cells(cells.path, columns, cells.show_values),
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
        block = np.array([token[start:stop] for token in tokens], np.int32).T.ravel()
        recorded = np.flatnonzero(block < len(vocabulary))
        rows = recorded // max(len(tokens), 1)
        found = token_rows(rows, block[recorded], stop - start, vocabulary, task)
        blocks.append(found)
    return concatenated(blocks)


def _check_unique(ids: Any, parts: list[_Part], site: TableSite) -> None:
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
