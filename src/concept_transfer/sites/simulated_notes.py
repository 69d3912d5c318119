"""Encounters sampled from a county's network, with notes and the findings read from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.text import Texts
from concept_transfer.paths import resolve
from concept_transfer.settings.task import Task
from concept_transfer.simulation.notes import Note, write_notes
from concept_transfer.simulation.notes_files import Phrases, read_phrases, read_style
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.mentions import check_extraction, with_findings
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import Network, Sample
from concept_transfer.sites.report import ingest_report
from concept_transfer.sites.simulated import (
    check_simulated,
    checked_network,
    recorded_tokens,
    sampled_encounters,
)
from concept_transfer.sites.simulated_notes_site import SimulatedNotesSite
from concept_transfer.sites.tokens import token_rows

IN_THE_RECORD = 2  # of a network's findings, the first: age group and season


def check_simulated_notes(
    site: SimulatedNotesSite, vocabulary: Vocabulary, task: Task, root: Path
) -> None:
    """Check network, style, words and what reads the notes (StudyError)."""
    check_simulated(site, vocabulary, task, root)
    read_style(resolve(site.style, root))
    phrases = read_phrases(resolve(site.phrases, root))
    for concept, state in phrases.words:
        try:
            vocabulary.token(concept, state)
        except StudyError as error:
            raise StudyError(f"phrases {site.phrases}: {error}") from None
    check_extraction(site.extraction, vocabulary, root)


def read_simulated_notes(
    site: SimulatedNotesSite, vocabulary: Vocabulary, task: Task, root: Path
) -> Extract:
    """The site's encounters, as `read_simulated` gives them, with the findings of their notes.

    Raises StudyError.
    """
    network = checked_network(site, vocabulary, root)
    encounters, drawn, order = sampled_encounters(site, network, task)
    pairs = [
        (row, vocabulary.token(*network.findings[column].tokens[place]))
        for row, written in enumerate(drawn.written[order][:, :IN_THE_RECORD].tolist())
        for column, place in enumerate(written)
    ]
    rows, tokens = np.array(pairs, np.int64).reshape(-1, 2).T
    everything = task.model_copy(
        update={"exclude_categories": [], "exclude_concepts": [], "not_recorded": "omit"}
    )
    recorded = token_rows(rows, tokens, len(encounters), vocabulary, everything)
    report = ingest_report(encounters, site.encounters, {}, {}, {})
    extract = Extract(encounters, {"findings": recorded}, report)
    texts = [note.text for note in _notes(site, network, drawn, order, root)]
    return with_findings(extract, texts, site.extraction, vocabulary, task, root)


def texts_of_simulated_notes(
    site: SimulatedNotesSite, encounters: Encounters, task: Task, root: Path
) -> Texts:
    """The notes of these encounters, with their types. Raises StudyError."""
    notes = list(simulated_notes(site, task, root))
    if len(notes) != len(encounters):
        raise StudyError(
            f"the site has {len(encounters)} encounters, but {len(notes)} notes are simulated, of "
            "other encounters; delete the folder of the site's encounters and run again"
        )
    return Texts.of([note.text for note in notes], [note.category for note in notes])


def simulated_notes(site: SimulatedNotesSite, task: Task, root: Path) -> Iterator[Note]:
    """The note of each encounter, in the order of the site's encounters, with its mentions."""
    network = read_network(resolve(site.network, root))
    _, drawn, order = sampled_encounters(site, network, task)
    yield from _notes(site, network, drawn, order, root)


def _notes(
    site: SimulatedNotesSite, network: Network, drawn: Sample, order: np.ndarray, root: Path
) -> Iterator[Note]:
    style = read_style(resolve(site.style, root))
    phrases: Phrases = read_phrases(resolve(site.phrases, root))
    return write_notes(recorded_tokens(network, drawn, order), style, phrases, site.seed)
