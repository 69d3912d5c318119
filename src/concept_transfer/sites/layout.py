"""What the headers of a tabular site say, before any row is read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from concept_transfer.cohorts.encounters import PARTITIONS
from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, choices, named
from concept_transfer.paths import resolve
from concept_transfer.sites.code_use import MAPPED, SET_ASIDE, UNMAPPED
from concept_transfer.sites.codes import crosswalk_of, links_of
from concept_transfer.sites.coverage import closest_concept, did_you_mean
from concept_transfer.sites.files import check_types, count_nulls
from concept_transfer.sites.headers import check_long, column_names, some, wrong_column
from concept_transfer.sites.spelling import spelling_of_concept, spelling_of_label, tokens_of_column
from concept_transfer.sites.table_settings import TableSite


@dataclass(frozen=True)
class TableFile:
    """One file of a site; `name` starts the ids of encounters without an id column."""

    partition: str | None
    name: str
    path: Path


@dataclass(frozen=True)
class Layout:
    """Files of a site's encounters, the columns that hold each concept (vocabulary order), the
    state of (column, concept) where the crosswalk says one, the columns that it does not know,
    those that it says have no concept, and the crosswalk itself, for the codes of long tables."""

    files: list[TableFile]
    concept_columns: dict[str, list[str]]
    states: dict[tuple[str, str], str]
    unmapped: list[str]
    set_aside: list[str]
    crosswalk: Crosswalk | None

    @property
    def fates(self) -> dict[str, str]:
        """What becomes of each column, as of any code."""
        mapped = chain.from_iterable(self.concept_columns.values())
        return {
            **dict.fromkeys(mapped, MAPPED),
            **dict.fromkeys(self.set_aside, SET_ASIDE),
            **dict.fromkeys(self.unmapped, UNMAPPED),
        }


def layout_of(site: TableSite, vocabulary: Vocabulary, root: Path) -> Layout:
    """Find and check files, headers, crosswalk and spellings of a tabular site.

    Raises StudyError naming the file and the column, concept or key that is wrong.
    """
    files = _files(site, root)
    roles = {
        key: getattr(site, key) for key in ("encounter", "patient", "cluster", "time", "partition")
    }
    columns = column_names(files[0].path, site)
    for file in files:
        there = column_names(file.path, site)
        for key, column in {"label.column": site.label.column, **roles}.items():
            if column is not None and column not in there:
                raise wrong_column(file.path, there, key, column)
        different = set(columns) ^ set(there)
        if different:
            raise StudyError(
                f"{file.path} and {files[0].path} differ in the column(s) {choices(different)}; "
                "all files of a site need the same columns"
            )
    taken = {site.label.column, *roles.values(), *site.ignore_columns}
    findings = [name for name in columns if name not in taken]
    crosswalk = crosswalk_of(site, vocabulary, root)
    links = links_of(findings, crosswalk, vocabulary)
    columns_of: dict[str, list[str]] = {}
    for name in findings:
        for link in links.get(name, []):
            if link.concept:
                columns_of.setdefault(link.concept, []).append(name)
    if not (columns_of or site.long or site.findings_elsewhere):
        known = [each.code for each in crosswalk.links] if crosswalk else vocabulary.concepts
        source = f"crosswalk {site.crosswalk}" if site.crosswalk else "vocabulary"
        raise StudyError(
            f"{files[0].path}: no column is a known finding; its columns are {some(findings)}, "
            f"the {source} has {some(list(dict.fromkeys(known)))}"
        )
    states = {
        (name, link.concept): link.state
        for name, its in links.items()
        for link in its
        if link.state
    }
    for name, concept in states:
        with named(links[name][0].where):
            tokens_of_column(site, vocabulary, concept, states[name, concept])
    for concept in site.concept_spelling:
        vocabulary.require(concept, "concept_spelling")
    concept_columns = {c: columns_of[c] for c in vocabulary.concept_states if c in columns_of}
    coded = crosswalk.links if crosswalk and site.long else ()
    for concept in _held(site, vocabulary, crosswalk, concept_columns):
        spelling_of_concept(site, vocabulary, concept)
    for link in coded:
        if link.state:
            with named(link.where):
                tokens_of_column(site, vocabulary, link.concept, link.state)
    spelling_of_label(site)
    unmapped = [name for name in findings if name not in links]
    if unmapped and site.crosswalk is None:
        raise _unmapped(files[0].path, unmapped, site, vocabulary)
    set_aside = [name for name, its in links.items() if not its[0].concept]
    mapped = [name for name in findings if name in links and name not in set_aside]
    keys = {key: roles[key] for key in ("encounter", "patient", "cluster") if roles[key]}
    for file in files:
        check_types(file.path, mapped, [n for n in (site.label.column, *roles.values()) if n])
        _check_keys(file.path, keys)
    if site.long:
        check_long(site, site.long, root)
    return Layout(files, concept_columns, states, unmapped, set_aside, crosswalk)


def _held(
    site: TableSite,
    vocabulary: Vocabulary,
    crosswalk: Crosswalk | None,
    concept_columns: Iterable[str],
) -> list[str]:
    """Concepts that a column holds, or a code of a long table may stand for."""
    coded: Iterable[str] = ()
    if site.long:
        coded = (link.concept for link in crosswalk.links) if crosswalk else vocabulary.concepts
    return list(dict.fromkeys(filter(None, chain(concept_columns, coded))))


def _check_keys(path: Path, keys: dict[str, str]) -> None:
    """Refuse nulls in the columns that name encounters, patients or clusters."""
    for key, column in keys.items():
        nulls = count_nulls(path, column)
        if nulls:
            raise StudyError(
                f"{path}, column '{column}' is empty in {nulls} row(s), but '{key}' needs one in "
                "every row"
            )


def _unmapped(path: Path, names: list[str], site: TableSite, vocabulary: Vocabulary) -> StudyError:
    like = {name: closest_concept(name, vocabulary) for name in names}
    shown = [f"'{name}'{did_you_mean(concept)}" for name, concept in like.items()]
    unlike = [name for name in names if like[name] is None]
    ignore = json.dumps([*site.ignore_columns, *unlike], ensure_ascii=False)
    return StudyError(
        f"{path}: no concept of the vocabulary has the name of the column(s) {', '.join(shown)}; "
        "correct the name, map it in a crosswalk, or list a column that holds no finding"
        + (f" (ignore_columns: {ignore})" if unlike else " under ignore_columns")
    )


def columns_of(site: TableSite, vocabulary: Vocabulary, root: Path) -> list[str]:
    """The concepts that a column of the site holds, or a long table may."""
    layout = layout_of(site, vocabulary, root)
    return _held(site, vocabulary, layout.crosswalk, layout.concept_columns)


def _files(site: TableSite, root: Path) -> list[TableFile]:
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
