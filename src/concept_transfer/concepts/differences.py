"""Where two vocabularies part."""

from __future__ import annotations

from itertools import zip_longest

from concept_transfer.concepts.vocabulary import Vocabulary


def first_difference(theirs: Vocabulary, ours: Vocabulary) -> str:
    """The first token, in order, in which vocabularies of another `Vocabulary.identity` differ."""
    rows = enumerate(zip_longest(_tokens(theirs), _tokens(ours)), 1)
    number, their, our = next((i, *pair) for i, pair in rows if pair[0] != pair[1])
    return f"The first difference is token {number}: {_told(their)} there, {_told(our)} here"


def _tokens(words: Vocabulary) -> list[tuple[str, ...]]:
    lowers = words.lowers or ("",) * len(words)
    return list(zip(words.concepts, words.names, words.states, lowers, strict=True))


def _told(token: tuple[str, ...] | None) -> str:
    if token is None:
        return "none"
    concept, name, state, lower = token
    return f"'{state}' of {concept} ({name})" + (f", from {lower}" if lower else "")
