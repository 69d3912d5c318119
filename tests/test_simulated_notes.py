"""Simulated notes: what they say is what was recorded, and where it stands is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.extraction.mentions import ABSENT, FAMILY, HYPOTHETICAL, PAST, PRESENT
from concept_transfer.extraction.sentences import sentences
from concept_transfer.extraction.words import words
from concept_transfer.settings.sites import Site
from concept_transfer.settings.task import Task
from concept_transfer.simulation.notes import Note, write_notes
from concept_transfer.simulation.notes_files import read_phrases, read_style
from concept_transfer.sites.reading import check_site, read_site
from concept_transfer.sites.simulated_notes import simulated_notes, texts_of_simulated_notes

REPOSITORY = Path(__file__).resolve().parents[1]
NOTES = REPOSITORY / "resources" / "notes"
VOCABULARY = Vocabulary.read(REPOSITORY / "resources" / "concepts" / "influenza.tsv")
TASK = Task.model_validate(
    {"label": "influenza", "exclude_categories": ["impression", "lab order", "lab result"]}
)
COUNT = 150
STYLES = ("north", "south")


def site(county: str, adapter: str = "simulated_notes", **keys: Any) -> Any:
    section: dict[str, Any] = {
        "adapter": adapter,
        "network": f"resources/networks/{county}.yaml",
        "encounters": COUNT,
        "seed": 3,
    }
    if adapter == "simulated_notes":
        section |= {
            "style": f"resources/notes/{county}.yaml",
            "extraction": {"synonyms": "resources/notes/synonyms.tsv"},
        }
    return TypeAdapter(Site).validate_python(section | keys)


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    """Style -> extracts of the structured and of the notes' site, and the notes."""
    return {
        style: (
            read_site(site(style, "simulated"), VOCABULARY, TASK, REPOSITORY),
            read_site(site(style), VOCABULARY, TASK, REPOSITORY),
            list(simulated_notes(site(style), TASK, REPOSITORY)),
        )
        for style in STYLES
    }


def said(notes: list[Note]) -> Iterator[set[tuple[str, str]]]:
    """Concepts and states that each note says are there, or absent, by its known mentions."""
    for note in notes:
        yield {
            (m.concept, m.state if m.assertion == PRESENT else ABSENT)
            for m in note.mentions
            if m.assertion in (PRESENT, ABSENT)
        }


@pytest.mark.parametrize("style", STYLES)
def test_encounters_are_those_of_the_structured_site(read: dict[str, Any], style: str) -> None:
    gold, extract, notes = read[style]
    assert extract.encounters.table.equals(gold.encounters.table)
    worded = {concept for concept, _ in read_phrases(NOTES / "phrases.tsv").words}
    ids = list(zip(VOCABULARY.concepts, VOCABULARY.states, strict=True))
    for tokens, of_note in zip(gold.inputs["findings"], said(notes), strict=True):
        recorded = {ids[token] for token in tokens.tolist()}
        assert of_note == {t for t in recorded if t[0] in worded and t[0] != "agegroup"}


@pytest.mark.parametrize("style", STYLES)
def test_mentions_stand_where_they_are_said_to(read: dict[str, Any], style: str) -> None:
    _, _, notes = read[style]
    phrases = read_phrases(NOTES / "phrases.tsv").words
    words_of = {t: {p for register in its.values() for p in register} for t, its in phrases.items()}
    spelled = unlike = empty = total = 0
    for note in notes:
        for m in note.mentions:
            text = note.text[m.start : m.end]
            if text.casefold() in {p.casefold() for p in words_of[m.concept, m.state]}:
                spelled += 1
            else:
                unlike += 1
        its = sentences(note.text, words(note.text))
        starts = [m.start for m in note.mentions]
        empty += sum(not any(s[0].start <= p < s[-1].end for p in starts) for s in its)
        total += len(its)
    assert 0 < unlike < 0.1 * spelled
    assert empty > total / 2
    assertions = {m.assertion for note in notes for m in note.mentions}
    assert {PRESENT, ABSENT, FAMILY, HYPOTHETICAL, PAST, "uncertain"} == assertions
    assert {note.category for note in notes} == {"triage", "physician"}


def test_styles_are_read_with_errors_that_differ(read: dict[str, Any]) -> None:
    recall = {}
    for style, (gold, extract, _) in read.items():
        true = gold.inputs["findings"].matrix(len(VOCABULARY))
        found = extract.inputs["findings"].matrix(len(VOCABULARY))
        right = true.multiply(found).sum()
        assert right / found.sum() > 0.9
        recall[style] = right / true.sum()
    assert 0.6 < recall["south"] < recall["north"] < 0.95
    notes = read["north"][1].report["notes"]
    assert notes["in_the_record"] == ["agegroup", "season"]
    assert sum(notes["said"].values()) == notes["mentions"] == sum(notes["matched"].values())


def test_a_note_depends_on_seed_and_place_alone(read: dict[str, Any]) -> None:
    style, phrases = read_style(NOTES / "north.yaml"), read_phrases(NOTES / "phrases.tsv")
    said = [[("C0018681", "present")], [("C0085593", "absent")]]
    both = list(write_notes(said, style, phrases, 5))
    assert both == list(write_notes(said, style, phrases, 5))
    assert both[0] == next(iter(write_notes(said[:1], style, phrases, 5)))
    assert both[0] != next(iter(write_notes(said[:1], style, phrases, 6)))
    texts = texts_of_simulated_notes(site("north"), read["north"][1].encounters, TASK, REPOSITORY)
    assert list(texts) == [note.text for note in read["north"][2]]
    assert texts.names == ("physician", "triage")
    assert np.bincount(texts.categories).min() > 0


def test_other_notes_are_no_notes_of_these_encounters(read: dict[str, Any]) -> None:
    fewer = read["north"][1].encounters.table.slice(0, 9)
    encounters = type(read["north"][1].encounters)(fewer)
    with pytest.raises(StudyError, match="other encounters"):
        texts_of_simulated_notes(site("north"), encounters, TASK, REPOSITORY)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("registers: {formal: .62", "registers: {formal: .72", "registers: .*shares must sum to 1"),
        ('- "No {or} reported."', '- "No findings."', "sentences.symptom.absent.2"),
        ("filler: 1.3", "filler: -1", "filler"),
        ("misspelled", "misspelt", "misspelt"),
    ],
)
def test_a_wrong_style_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "style.yaml"
    path.write_text((NOTES / "north.yaml").read_text().replace(old, new))
    with pytest.raises(StudyError, match=f"style {re.escape(str(path))}: .*{told}"):
        read_style(path)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("C1\tsymptom\t\tslang\tcough", "column 'register' is 'slang'"),
        ("C1\tsign\t\tformal\t-", "holds no word"),
        ("C1\tsymptom\t\tformal\tcough", "no phrase of the register plain, short"),
    ],
)
def test_wrong_phrases_are_named(tmp_path: Path, row: str, told: str) -> None:
    path = tmp_path / "phrases.tsv"
    path.write_text(f"concept\tgroup\tstate\tregister\tphrase\n{row}\n")
    with pytest.raises(StudyError, match=told):
        read_phrases(path)


def test_checks_name_what_is_wrong() -> None:
    with pytest.raises(StudyError, match=r"style .*other\.yaml does not exist"):
        check_site(site("north", style="other.yaml"), VOCABULARY, TASK, REPOSITORY)
    check_site(site("south"), VOCABULARY, TASK, REPOSITORY)
