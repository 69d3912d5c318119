"""The study's questions and what its rows answer, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from concept_transfer.reporting.answers import (
    advice,
    choice,
    claims,
    ladder,
    learners,
    rates,
    semantic,
    simple,
    tuning,
    winners,
)
from concept_transfer.reporting.answers.phrases import Row, is_shown
from concept_transfer.reporting.formats import bind_percent
from concept_transfer.study import Study

SHORT = 260  # characters


@dataclass(frozen=True)
class Words:
    """Of one question: its text, its rows with labels for readers, and the sentences they bear."""

    question: str
    labelled: Callable[[Study, Row], Row]
    sentences: Callable[[Study, list[Row]], list[str]]


WORDS = {
    "semantic": Words(semantic.QUESTION, semantic.labelled, semantic.sentences),
    "tuning": Words(tuning.QUESTION, tuning.labelled, tuning.sentences),
    "simple": Words(simple.QUESTION, simple.labelled, simple.sentences),
    "rates": Words(rates.QUESTION, rates.labelled, rates.sentences),
    "ladder": Words(ladder.QUESTION, ladder.labelled, ladder.sentences),
    "claims": Words(claims.QUESTION, claims.labelled, claims.sentences),
    "advice": Words(advice.QUESTION, advice.labelled, advice.sentences),
    "winners": Words(winners.QUESTION, winners.labelled, winners.sentences),
    "learners": Words(learners.QUESTION, learners.labelled, learners.sentences),
    "choice": Words(choice.QUESTION, choice.labelled, choice.sentences),
}


@dataclass(frozen=True)
class Answer:
    """A question with its answer: sentences, the first of which opens, and rows for a table."""

    name: str
    question: str
    sentences: Sequence[str]
    rows: Sequence[Row]

    @property
    def short(self) -> str:
        """The opening, and as many further sentences as fit in a few lines."""
        return " ".join(self.sentences[: self._fitting])

    @property
    def rest(self) -> str:
        return " ".join(self.sentences[self._fitting :])

    @property
    def _fitting(self) -> int:
        fitting = 1
        while (
            fitting < len(self.sentences) and len(" ".join(self.sentences[: fitting + 1])) <= SHORT
        ):
            fitting += 1
        return fitting


def answered(study: Study, answers: Iterable[Mapping[str, Any]]) -> list[Answer]:
    """The answers of ``answers.json`` (name and rows) in words; a question without words of its
    own is named, and its rows speak for it."""
    return [_answer(study, answer["name"], answer["rows"]) for answer in answers]


def _answer(study: Study, name: str, rows: Sequence[Row]) -> Answer:
    words = WORDS.get(name)
    if words is None:
        title = name.replace("_", " ").capitalize()
        return Answer(name, title, ["The table holds the numbers."], list(filter(is_shown, rows)))
    labelled = [words.labelled(study, row) for row in rows]
    sentences = [bind_percent(sentence) for sentence in words.sentences(study, labelled)]
    return Answer(name, words.question, sentences, list(filter(is_shown, labelled)))
