"""Which published vector belongs to which token."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.tsv import read_rows
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError

_COLUMNS = ("key", "concept", "state")


def match_tokens(
    where: str,
    keys: Sequence[str],
    vocabulary: Vocabulary,
    crosswalk: Mapping[tuple[str, str], str],
) -> NDArray[np.int64]:
    """Position of every token's key, -1 for none; shape [tokens]. The first rule that fits decides.

    1. The crosswalk names the key, or its first word.
    2. The key is ``concept:state`` or ``concept state``.
    3. The key is the concept's id, or starts with it: the layout ``id text`` / ``id Not text``.
       ``Not`` stands for the state `absent`; a key without it for `present`, or for the only
       state of a concept.
    4. The key is the token's text, or the concept's name for `present`.

    Case is ignored, and ``-``, ``/`` and ``_`` count as spaces, because publishers replace them.
    Raises StudyError, which starts with `where`, if two keys fit one token equally.
    """
    exact: dict[str, int] = {}
    by_id: dict[tuple[str, bool], list[int]] = {}
    for position, key in enumerate(keys):
        words = _plain(key).split()
        exact.setdefault(" ".join(words), position)
        first = key.split()[0].casefold() if key.split() else ""
        negated = len(key.split()) > 1 and key.split()[1] == "Not"
        by_id.setdefault((first, negated), []).append(position)

    def with_id(identifier: str, negated: bool) -> int | None:
        rows = by_id.get((identifier.casefold(), negated), [])
        if len(rows) > 1:
            raise StudyError(
                f"{where}: {len(rows)} keys fit the identifier '{identifier}', among them "
                f"'{keys[rows[0]]}' and '{keys[rows[1]]}'; name the right one in a crosswalk "
                "(TSV with the columns key, concept, state)"
            )
        return rows[0] if rows else None

    def find(token: int) -> int | None:
        concept, state = vocabulary.concepts[token], vocabulary.states[token]
        listed = crosswalk.get((concept, state))
        if listed is not None:
            position = exact.get(_plain(listed))
            return position if position is not None else with_id(listed, negated=False)
        position = exact.get(_plain(f"{concept} {state}"))
        positive = state == "present" or len(vocabulary.concept_states[concept]) == 1
        if position is None and (positive or state == "absent"):
            position = with_id(concept, negated=not positive)
        if position is None:
            position = exact.get(_plain(vocabulary.texts[token]))
        if position is None and positive:
            position = exact.get(_plain(vocabulary.names[token]))
        return position

    rows = [find(token) for token in range(len(vocabulary))]
    return np.array([-1 if row is None else row for row in rows], dtype=np.int64)


def read_crosswalk(path: Path, vocabulary: Vocabulary) -> dict[tuple[str, str], str]:
    """(concept, state) -> published key; UTF-8 TSV with the columns key, concept, state.

    Raises StudyError naming file and line for a token that the vocabulary does not have.
    """
    keys_of: dict[tuple[str, str], str] = {}
    for where, row in read_rows("crosswalk", path, _COLUMNS):
        key, concept, state = (row[column] for column in _COLUMNS)
        try:
            vocabulary.token(concept, state)
        except StudyError as error:
            raise StudyError(f"{where}: {error}") from None
        if (concept, state) in keys_of:
            raise StudyError(f"{where}: ({concept}, {state}) is there twice; a token has one key")
        keys_of[concept, state] = key
    return keys_of


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[-/_:]", " ", text).casefold().split())
