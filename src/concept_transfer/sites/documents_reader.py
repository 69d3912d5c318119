"""Reads a table of documents: a cohort, how long each is, and the documents themselves."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.encounters import Encounters, encounter_table, repeated_rows
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.text import Texts
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.sites.document_tables import (
    DocumentTable,
    check_characters,
    check_columns,
    read_columns,
)
from concept_transfer.sites.documents_site import DocumentsSite, Part
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.spelling import DROPPED, class_of_spelling, spelled
from concept_transfer.sites.tokens import token_rows

WORDS = "WORDS"  # the concept of a document's length
VOCABULARY = "resources/concepts/documents.tsv"


def check_documents(site: DocumentsSite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    """Check the header, the label's spellings and the vocabulary; reads no row (StudyError)."""
    class_of_spelling(site, task)
    if WORDS not in vocabulary.bins:
        raise StudyError(
            f"the vocabulary has no bins of the concept {WORDS}, the length of a document in "
            f"words, which learners of findings see of it; take {VOCABULARY}, or give bins.{WORDS}"
        )
    path = resolve(site.path, root)
    check_columns(path, _columns(site), site.encoding)


def read_documents(site: DocumentsSite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    """The cohort, findings (a document's length) and ingest report. Raises StudyError for a
    document that is empty or no text, and for a label that the config does not know; it names the
    line, and shows no word of a document."""
    chosen = _chosen(site, task, root)
    rows = np.arange(len(chosen.words))
    states = vocabulary.bins[WORDS].state_numbers(chosen.words.astype(np.float64))
    ids = [vocabulary.token(WORDS, name) for name in vocabulary.bins[WORDS].states]
    findings = token_rows(rows, np.array(ids)[states], len(rows), vocabulary, task)
    others = set(vocabulary.concept_states) - {WORDS}
    report = ingest_report(
        chosen.encounters,
        chosen.rows_read,
        chosen.dropped,
        unmapped={},
        not_recorded=dict.fromkeys(others, len(rows)),
    )
    told = {"truncated": int((chosen.words > site.longest).sum()), "copies": chosen.copies}
    warnings = _warnings(site, chosen, told["truncated"])
    return Extract(
        chosen.encounters,
        {"findings": findings},
        {**report, **told, **({"warnings": warnings} if warnings else {})},
    )


def read_texts(site: DocumentsSite, encounters: Encounters, task: Task, root: Path) -> Texts:
    """The documents of these encounters, each cut to the words that are read. Raises StudyError
    where the file holds others by now."""
    chosen = _chosen(site, task, root)
    if not chosen.encounters.table.equals(encounters.table):
        raise StudyError(
            f"{resolve(site.path, root)} holds other documents than when encounters were read; "
            "delete the folder of the site's encounters and run again"
        )
    return Texts.of([cut(text, site.longest) for text in chosen.texts], chosen.categories)


def cut(text: str, longest: int) -> str:
    """The beginning of a text, of so many words.

    >>> cut("Seen twice,  then lost.", 2)
    'Seen twice,'
    """
    words = text.split(maxsplit=longest)
    return text if len(words) <= longest else text[: len(text) - len(words[-1])].rstrip()


@dataclass(frozen=True)
class _Chosen:
    """The rows of a site: its cohort, texts, their categories and how many words each has; reasons
    -> how many rows were left out, and how many of those that stay repeat a text."""

    encounters: Encounters
    texts: list[str]
    categories: list[str | None] | None
    words: NDArray[np.int64]
    rows_read: int
    dropped: dict[str, int]
    copies: int
    contradicting: int


def _chosen(site: DocumentsSite, task: Task, root: Path) -> _Chosen:
    path = resolve(site.path, root)
    names = dict.fromkeys(name for _, name in _columns(site))
    table = read_columns(path, list(names), site.encoding)
    labels = _labels(site, task, table)
    texts = table.columns[site.text]
    _check_texts(table, texts)
    words = np.array([len(text.split()) for text in texts], np.int64)
    labelled = labels != DROPPED
    first, contradicted = _repeated(texts, labels, labelled)
    unclear = labelled & contradicted if site.copies == "drop" else np.zeros(len(labels), bool)
    again = labelled & ~first & ~unclear
    if site.copies == "keep":
        again[:] = False
    ids = _ids(site, table)
    whose = table.columns[site.patient] if site.patient else ids
    clusters = table.columns[site.cluster] if site.cluster else whose
    single = site.patient or site.cluster
    own = _of_site(site, table, words, clusters if single else texts)
    candidates = labelled & ~unclear & ~again
    kept = np.flatnonzero(candidates & own)
    if candidates.any() and not len(kept):
        raise StudyError(
            f"rows: none of the {candidates.sum():,} document(s) of {path} meets these conditions; "
            "a site has one document at least"
        )
    dropped = {
        f"{site.label.column} is {' or '.join(site.label.drop)}": int((~labelled).sum()),
        "the text stands in several rows, with several labels": int(unclear.sum()),
        "the text stands in an earlier row": int(again.sum()),
        "the row is another site's": int((candidates & ~own).sum()),
    }

    def of(column: Sequence[Any]) -> list[Any]:
        return [column[row] for row in kept.tolist()]

    cohort = encounter_table(
        encounter=of(ids),
        patient=of(whose),
        cluster=of(clusters),
        time=of(_days(table, site.time)) if site.time else None,
        label=labels[kept],
    )
    categories = (
        of([cell or None for cell in table.columns[site.category]]) if site.category else None
    )
    return _Chosen(
        Encounters(cohort),
        of(texts),
        categories,
        words[kept],
        len(table),
        dropped,
        int((~first[kept]).sum()),
        int((contradicted & ~first)[kept].sum()),
    )


def _warnings(site: DocumentsSite, chosen: _Chosen, truncated: int) -> list[str]:
    told = []
    if truncated:
        told.append(
            f"{truncated:,} document(s) have more than {site.longest:,} words; the rest is cut off"
        )
    if chosen.copies:
        told.append(
            f"{chosen.copies:,} document(s) have the text of an earlier one, of them "
            f"{chosen.contradicting:,} one with several labels"
        )
    return told


def _columns(site: DocumentsSite) -> list[tuple[str, str]]:
    """(key of the config, column) of all that is read."""
    single = ("text", "encounter", "patient", "cluster", "time", "category")
    named = [(key, getattr(site, key)) for key in single if getattr(site, key)]
    others = [("rows.columns", name) for name in site.rows.columns]
    return [*named, ("label.column", site.label.column), *others]


def _labels(site: DocumentsSite, task: Task, table: DocumentTable) -> NDArray[np.int8]:
    """Class of every row, or DROPPED."""
    meaning = class_of_spelling(site, task)
    cells = [spelled(cell) for cell in table.columns[site.label.column]]
    unknown = [row for row, cell in enumerate(cells) if cell not in meaning]
    if unknown:
        shown = f"'{cells[unknown[0]]}'" if site.show_values else "the value"
        raise StudyError(
            f"{table.where(unknown[0])}, column '{site.label.column}': {shown} is none of the "
            f"declared spellings, which are {', '.join(repr(each) for each in meaning)}; "
            f"{len(unknown)} row(s) are affected"
        )
    return np.array([meaning[cell] for cell in cells], np.int8)


def _check_texts(table: DocumentTable, texts: Sequence[str]) -> None:
    """Refuse a document without a word, and one with characters that no text has."""
    empty = [row for row, text in enumerate(texts) if not text]
    if empty:
        raise StudyError(
            f"{table.where(empty[0])}: the document is empty; {len(empty)} row(s) are. Take them "
            "out of the table: nothing can be read from them"
        )
    check_characters(table, texts)


def _repeated(
    texts: Sequence[str], labels: NDArray[np.int8], labelled: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which labelled rows are the first with their text, and which have a text of several labels,
    bool [n] each."""
    known: dict[str, set[int]] = {}
    first = np.zeros(len(texts), bool)
    for row in np.flatnonzero(labelled).tolist():
        first[row] = texts[row] not in known
        known.setdefault(texts[row], set()).add(int(labels[row]))
    several = [len(known.get(text, ())) > 1 for text in texts]
    return first, np.array(several, bool)


def _of_site(
    site: DocumentsSite, table: DocumentTable, words: NDArray[np.int64], units: Sequence[str]
) -> NDArray[np.bool_]:
    """Which rows meet the conditions of `rows`; a random part keeps rows of a unit together."""
    rows = site.rows
    own = (words >= rows.fewest_words) & (words <= (rows.most_words or np.inf))
    for name, values in rows.columns.items():
        wanted = {spelled(value) for value in values}
        own &= np.array([spelled(cell) in wanted for cell in table.columns[name]], bool)
    if rows.part:
        own &= np.array([_part_of(unit, rows.part) == rows.part.number for unit in units], bool)
    return np.asarray(own)


def _part_of(unit: str, part: Part) -> int:
    """From 1, by a digest of the unit: it does not depend on the other rows."""
    digest = hashlib.blake2b(f"{part.seed}/{unit}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % part.of + 1


def _ids(site: DocumentsSite, table: DocumentTable) -> list[str]:
    if site.encounter is None:
        return [f"{table.path.name}:{place}" for place in table.places]
    ids = table.columns[site.encounter]
    repeated = repeated_rows(ids)
    if len(repeated):
        raise StudyError(
            f"{table.where(int(repeated[0]))}, column '{site.encounter}': {len(repeated)} row(s) "
            "share their id with another; a document has one row and one id"
        )
    return ids


def _days(table: DocumentTable, column: str) -> list[datetime.date | None]:
    days: list[datetime.date | None] = []
    for row, cell in enumerate(table.columns[column]):
        try:
            days.append(datetime.datetime.fromisoformat(cell).date() if cell else None)
        except ValueError:
            raise StudyError(
                f"{table.where(row)}, column '{column}': the value is no date; dates are written "
                "YYYY-MM-DD"
            ) from None
    return days
