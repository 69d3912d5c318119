"""What the headers of a tabular site say, before any row is read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from concept_transfer.cohorts.encounters import PARTITIONS
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, choices
from concept_transfer.paths import resolve
from concept_transfer.sites.coverage import closest, closest_concept, did_you_mean
from concept_transfer.sites.files import check_types, count_nulls
from concept_transfer.sites.headers import check_long, column_names
from concept_transfer.sites.spelling import spelling_of_concept, spelling_of_label
from concept_transfer.sites.tabular_site import TabularSite


@dataclass(frozen=True)
class TableFile:
    """One file of a site; `name` starts the ids of encounters without an id column."""

    partition: str | None
    name: str
    path: Path


@dataclass(frozen=True)
class Layout:
    """Files of a site's encounters, the columns that hold each concept (vocabulary order), those
    that its crosswalk does not map, and the concepts of each column or code."""

    files: list[TableFile]
    concept_columns: dict[str, list[str]]
    unmapped: list[str]
    concepts_of: dict[str, list[str]]


def layout_of(site: TabularSite, vocabulary: Vocabulary, root: Path) -> Layout:
    """Find and check files, headers, crosswalk and spellings of a tabular site.

    Raises StudyError naming the file and the column, concept or key that is wrong.
    """
    files = _files(site, root)
    columns = column_names(files[0].path, site)
    for file in files[1:]:
        different = set(columns) ^ set(column_names(file.path, site))
        if different:
            raise StudyError(
                f"{file.path} and {files[0].path} differ in the column(s) {choices(different)}; "
                "all files of a site need the same columns"
            )
    roles = {
        key: getattr(site, key) for key in ("encounter", "patient", "cluster", "time", "partition")
    }
    for key, column in {"label.column": site.label.column, **roles}.items():
        if column is not None and column not in columns:
            raise StudyError(
                f"{files[0].path} has no column '{column}', which '{key}' names; it has "
                f"{_some(columns)}{did_you_mean(closest(column, columns))}"
            )
    concepts_of = _crosswalk(site, vocabulary, root)
    taken = {site.label.column, *roles.values(), *site.ignore_columns}
    findings = [name for name in columns if name not in taken]
    columns_of: dict[str, list[str]] = {}
    for name in findings:
        for concept in concepts_of.get(name, []):
            columns_of.setdefault(concept, []).append(name)
    if not columns_of and site.long is None:
        source = f"crosswalk {site.crosswalk}" if site.crosswalk else "vocabulary"
        raise StudyError(
            f"{files[0].path}: no column is a known finding; its columns are {_some(findings)}, "
            f"the {source} has {_some(list(concepts_of))}"
        )
    for concept in site.concept_spelling:
        vocabulary.require(concept, "concept_spelling")
    concept_columns = {c: columns_of[c] for c in vocabulary.concept_states if c in columns_of}
    for concept in _held(site, concept_columns, concepts_of):
        spelling_of_concept(site, vocabulary, concept)
    spelling_of_label(site)
    unmapped = [name for name in findings if name not in concepts_of]
    if unmapped and site.crosswalk is None:
        raise _unmapped(files[0].path, unmapped, site, vocabulary)
    mapped = [name for name in findings if name in concepts_of]
    keys = {key: roles[key] for key in ("encounter", "patient", "cluster") if roles[key]}
    for file in files:
        check_types(file.path, mapped, [n for n in (site.label.column, *roles.values()) if n])
        _check_keys(file.path, keys)
    if site.long:
        check_long(site, site.long, root)
    return Layout(files, concept_columns, unmapped, concepts_of)


def _held(
    site: TabularSite, concept_columns: Iterable[str], concepts_of: Mapping[str, list[str]]
) -> list[str]:
    """Concepts that a column holds, or a code of a long table may name."""
    coded = concepts_of.values() if site.long else []
    return list(dict.fromkeys(chain(concept_columns, *coded)))


def _check_keys(path: Path, keys: dict[str, str]) -> None:
    """Refuse nulls in the columns that name encounters, patients or clusters."""
    for key, column in keys.items():
        nulls = count_nulls(path, column)
        if nulls:
            raise StudyError(
                f"{path}, column '{column}' is empty in {nulls} row(s), but '{key}' needs one in "
                "every row"
            )


def _unmapped(
    path: Path, names: list[str], site: TabularSite, vocabulary: Vocabulary
) -> StudyError:
    like = {name: closest_concept(name, vocabulary) for name in names}
    shown = [f"'{name}'{did_you_mean(concept)}" for name, concept in like.items()]
    unlike = [name for name in names if like[name] is None]
    ignore = json.dumps([*site.ignore_columns, *unlike], ensure_ascii=False)
    return StudyError(
        f"{path}: no concept of the vocabulary has the name of the column(s) {', '.join(shown)}; "
        "correct the name, map it in a crosswalk, or list a column that holds no finding"
        + (f" (ignore_columns: {ignore})" if unlike else " under ignore_columns")
    )


def columns_of(site: TabularSite, vocabulary: Vocabulary, root: Path) -> list[str]:
    """The concepts that a column of the site holds, or a long table may."""
    layout = layout_of(site, vocabulary, root)
    return _held(site, layout.concept_columns, layout.concepts_of)


def _files(site: TabularSite, root: Path) -> list[TableFile]:
    listed: list[tuple[str | None, str]] = [(None, site.path)] if site.path else []
    for partition in PARTITIONS:
        listed += [(partition, path) for path in getattr(site, partition)]
    paths = [resolve(path, root) for _, path in listed]
    stems = [path.stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [path for _, path in listed]
    return [
        TableFile(partition, name, path)
        for (partition, _), name, path in zip(listed, names, paths, strict=True)
    ]


def _crosswalk(site: TabularSite, vocabulary: Vocabulary, root: Path) -> dict[str, list[str]]:
    """Column name -> the concepts it holds."""
    if site.crosswalk is None:
        return {concept: [concept] for concept in vocabulary.concept_states}
    path = resolve(site.crosswalk, root)
    if not path.is_file():
        raise StudyError(
            f"crosswalk {path} does not exist; it is a TSV with the columns site_code and concept"
        )
    concepts_of: dict[str, list[str]] = {}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        columns = rows.fieldnames or []
        if not {"site_code", "concept"} <= set(columns):
            raise StudyError(
                f"crosswalk {path} has the column(s) {', '.join(columns)}; it needs site_code and "
                "concept, separated by a tab"
            )
        for row in rows:
            code, concept = ((row[column] or "").strip() for column in ("site_code", "concept"))
            vocabulary.require(concept, f"crosswalk {path}, line {rows.line_num}")
            concepts_of.setdefault(code, []).append(concept)
    return concepts_of


def _some(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")
