"""How a site spells a concept's states and the label's classes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, choices
from concept_transfer.settings.task import Task
from concept_transfer.sites.table_settings import DROP, LabelColumn, TableSite

PRESENT, NOT_RECORDED = "present", "not recorded"
DROPPED = -1
_TWO = {"positive": 1, "negative": 0}
_DECIMAL = re.compile(r"(-?\d+)\.(\d*?)0*")


def spelled(text: str) -> str:
    """A cell or spelling as it is compared: without case, and 1.0 as 1."""
    number = _DECIMAL.fullmatch(text)
    if number is None:
        return text.casefold()
    return f"{number[1]}.{number[2]}" if number[2] else number[1]


def state_of_spelling(states: Mapping[str, Sequence[str]], where: str) -> dict[str, str]:
    """Spelling (case ignored) -> state. Raises StudyError if two states share a spelling."""
    state_of: dict[str, str] = {}
    for state, spellings in states.items():
        for spelling in spellings:
            other = state_of.setdefault(spelled(spelling.strip()), state)
            if other != state:
                raise StudyError(
                    f"{where}: '{spelling}' spells both '{other}' and '{state}'; case is ignored, "
                    "and every spelling means one thing"
                )
    return state_of


def spelling_of_concept(site: TableSite, vocabulary: Vocabulary, concept: str) -> dict[str, str]:
    """Spelling -> state of one concept: its own entry if it has one, else the site's.

    The site's entry is for concepts with one of its states; a concept of grades or bins takes from
    it only what is not recorded, as an own entry does that does not say. A state without an entry
    is spelled as it is named.
    """
    states = vocabulary.concept_states[concept]
    missing = state_of_spelling({NOT_RECORDED: site.spelling.get(NOT_RECORDED, [])}, "spelling")
    entry = site.concept_spelling.get(concept)
    if entry is not None:
        for state in entry:
            if state != NOT_RECORDED:
                vocabulary.token(concept, state)
        told = state_of_spelling(entry, f"concept_spelling.{concept}")
        return ({} if NOT_RECORDED in entry else missing) | _by_name(states, entry) | told
    if concept in vocabulary.bins or not set(site.spelling) & set(states):
        return missing | _by_name(states, ())
    used = {state: site.spelling.get(state, [state]) for state in states}
    return state_of_spelling(site.spelling, "spelling") | state_of_spelling(
        used, f"spelling of concept {concept}"
    )


def tokens_of_column(
    site: TableSite, vocabulary: Vocabulary, concept: str, state: str
) -> dict[str, int]:
    """Spelling -> token id, of a column that a crosswalk gives one state of a concept.

    The site's spellings of `present` mean that state; all others mean nothing (len(vocabulary)).
    """
    if PRESENT not in site.spelling or concept in vocabulary.bins:
        raise StudyError(
            f"state '{state}' of concept {concept} is that of a column's cells spelled as "
            f"'{PRESENT}', "
            + (
                "but the concept has bins, which numbers are put into"
                if concept in vocabulary.bins
                else "which the site's 'spelling' does not have"
            )
            + "; leave 'state' empty, and a cell tells its own"
        )
    token = vocabulary.token(concept, state)
    return {
        spelling: token if meaning == PRESENT else len(vocabulary)
        for spelling, meaning in state_of_spelling(site.spelling, "spelling").items()
    }


def _by_name(states: Sequence[str], others: Collection[str]) -> dict[str, str]:
    """Name -> state, of the states that are not among the others."""
    return {spelled(state): state for state in states if state not in others}


class Labelled(Protocol):
    """The section of a site whose table has a column of labels."""

    @property
    def label(self) -> LabelColumn: ...


def spelling_of_label(site: Labelled) -> dict[str, str]:
    """Spelling -> class (positive or negative without `label.classes`), or drop."""
    label = site.label
    kinds = label.classes or {name: getattr(label, name) for name in _TWO}
    return state_of_spelling({**kinds, DROP: label.drop}, "label")


def class_of_spelling(site: Labelled, task: Task) -> dict[str, int]:
    """Spelling of the label -> class of the task, or DROPPED.

    Raises StudyError where the site tells other classes apart than the task has.
    """
    names, classes = task.class_names, site.label.classes
    if not classes and len(names) != 2:
        raise StudyError(
            f"label: positive and negative tell two classes apart, but task.classes has "
            f"{len(names)}; give label.classes with the spellings of each of {', '.join(names)}"
        )
    if classes and set(classes) != set(names):
        raise StudyError(
            f"label.classes has {choices(classes)}, but the classes of the task (task.classes) are "
            f"{choices(names)}; give the spellings of just these"
        )
    numbers = {name: number for number, name in enumerate(names)} if classes else _TWO
    return {
        spelling: numbers.get(kind, DROPPED) for spelling, kind in spelling_of_label(site).items()
    }
