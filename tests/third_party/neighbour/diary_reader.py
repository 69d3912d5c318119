"""Reads diaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.tokens import token_rows
from neighbour.diary import DiarySite


def check(site: DiarySite, vocabulary: Vocabulary, task: Task, root: Path) -> None:
    if not (root / site.book).is_file():
        raise StudyError(f"the diary {root / site.book} does not exist")


def read(site: DiarySite, vocabulary: Vocabulary, task: Task, root: Path) -> Extract:
    lines = [line.split() for line in (root / site.book).read_text().splitlines()]
    pairs = [
        (row, vocabulary.token(concept, "present"))
        for row, (_, _, *concepts) in enumerate(lines)
        for concept in concepts
    ]
    encounters = Encounters(
        encounter_table(
            encounter=[f"line {row}" for row in range(len(lines))],
            cluster=[patient for patient, *_ in lines],
            label=[task.class_names.index(name) for _, name, *_ in lines],
        )
    )
    rows, tokens = np.array(pairs, np.int64).T
    findings = token_rows(rows, tokens, len(lines), vocabulary, task)
    report = ingest_report(encounters, len(lines), {}, {}, {})
    return Extract(encounters, {"findings": findings}, report)
