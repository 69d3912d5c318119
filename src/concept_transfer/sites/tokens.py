"""From what was recorded to the sets of tokens that a task allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, choices
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.task import Task


def allowed_tokens(vocabulary: Vocabulary, task: Task) -> NDArray[np.bool_]:
    """Which tokens models may see, bool [len(vocabulary)].

    Raises StudyError for a category or concept that the vocabulary does not have.
    """
    for category in task.exclude_categories:
        if category not in vocabulary.categories:
            raise StudyError(
                f"task.exclude_categories names '{category}', which the vocabulary does not "
                f"have; its categories are {choices(set(vocabulary.categories))}"
            )
    for concept in task.exclude_concepts:
        vocabulary.require(concept, "task.exclude_concepts")
    excluded = np.isin(vocabulary.categories, task.exclude_categories)
    return ~(excluded | np.isin(vocabulary.concepts, task.exclude_concepts))


def token_rows(
    encounter: NDArray[np.integer],
    token: NDArray[np.integer],
    count: int,
    vocabulary: Vocabulary,
    task: Task,
) -> CompressedRows:
    """Findings of `count` encounters from recorded pairs.

    `encounter` and `token` are equally long: pair j says that token[j] was recorded at encounter
    encounter[j], 0 <= encounter[j] < count. Pairs may come in any order and repeat. Tokens the
    task does not allow are left out; with `not_recorded: absent`, every allowed concept that has
    a state absent and no token at an encounter gets its absent token.
    """
    allowed = allowed_tokens(vocabulary, task)
    keep = allowed[token]
    key = encounter[keep].astype(np.int64) * len(vocabulary) + token[keep]
    if task.not_recorded == "absent":
        key = np.concatenate([key, _absent(key, count, vocabulary, allowed)])
    rows, tokens = np.divmod(distinct(key), len(vocabulary))
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=count), out=offsets[1:])
    return CompressedRows(offsets, tokens.astype(np.int32))


def distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The keys (0 or more) in ascending order, each once; sorts them where they lie."""
    if (np.diff(keys) > 0).all():
        return keys
    keys.sort()
    return keys[np.diff(keys, prepend=-1) > 0]


def first_states(
    encounter: NDArray[np.integer], token: NDArray[np.integer], vocabulary: Vocabulary
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs as `token_rows` takes them, by encounter, with one state of each concept: of several
    the one that the vocabulary lists first."""
    concept = vocabulary.concept_numbers
    whose = encounter.astype(np.int64) * len(vocabulary) + concept[token]
    keys = distinct(whose * len(vocabulary) + token)
    keys = keys[np.diff(keys // len(vocabulary), prepend=-1) > 0]
    return keys // len(vocabulary) ** 2, keys % len(vocabulary)


def _absent(
    key: NDArray[np.int64], count: int, vocabulary: Vocabulary, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Keys of the absent tokens of concepts without a token, encounter by encounter."""
    concept_of = vocabulary.concept_numbers
    absent = np.flatnonzero((np.array(vocabulary.states) == "absent") & allowed)
    rows, tokens = np.divmod(key, len(vocabulary))
    recorded = np.zeros((count, len(vocabulary.concept_states)), dtype=bool)
    recorded[rows, concept_of[tokens]] = True
    row, column = np.nonzero(~recorded[:, concept_of[absent]])
    return row * len(vocabulary) + absent[column]
