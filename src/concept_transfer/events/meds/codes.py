"""Codes by pattern, and what they mean in the vocabulary of a study."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence

from concept_transfer.concepts.crosswalk import Crosswalk
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.mapping import PRESENT, Meaning

PREFIX = "*"
_MOST_COMPARED = 20_000


def matching(patterns: Iterable[str], codes: Sequence[str], where: str) -> list[str]:
    """The codes that are one of the patterns, or begin as a pattern that ends in * does.

    Raises StudyError with the nearest codes for a pattern without any.
    """
    known, found = set(codes), dict[str, None]()
    for pattern in patterns:
        begin = pattern.removesuffix(PREFIX)
        if begin != pattern:
            own = [code for code in codes if code.startswith(begin)]
        else:
            own = [pattern] if pattern in known else []
        if not own:
            raise StudyError(
                f"{where}: no event has a code that is '{pattern}'{nearest(begin, codes)}; a code "
                "stands as it is in the data, and a * at its end is for all that begin so"
            )
        found.update(dict.fromkeys(own))
    return list(found)


def nearest(code: str, codes: Sequence[str]) -> str:
    """The most similar codes, in brackets; nothing where none is."""
    close = difflib.get_close_matches(code, codes[:_MOST_COMPARED], n=3, cutoff=0.4)
    return f" (nearest are {', '.join(close)})" if close else ""


def meanings(
    codes: Iterable[str],
    vocabulary: Vocabulary,
    crosswalk: Crosswalk | None,
    parents: Mapping[str, Sequence[str]],
    units: Mapping[str, Mapping[str, float]],
) -> tuple[list[Meaning], list[str]]:
    """What codes mean, and the codes that the crosswalk sets aside (relation `none`).

    A code means what the crosswalk says; else the concept that it is; else what those of its
    parent codes mean. units: code or concept -> unit -> factor.
    """
    found, aside = list[Meaning](), list[str]()
    for code in codes:
        own = _meanings_of(code, vocabulary, crosswalk)
        if own is None:
            of_parents = [_meanings_of(p, vocabulary, crosswalk) for p in parents.get(code, ())]
            own = [meaning for each in of_parents if each for meaning in each]
        elif not own:
            aside.append(code)
        for concept, state in dict.fromkeys(own):
            factors = units.get(code) or units.get(concept) or {}
            found.append(Meaning(code, concept, state, factors if state is None else {}))
    return found, aside


def _meanings_of(
    code: str, vocabulary: Vocabulary, crosswalk: Crosswalk | None
) -> list[tuple[str, str | None]] | None:
    """The concepts and states of a code by itself; None where nobody says any."""
    if crosswalk is not None and crosswalk.known([code])[0]:
        rows = crosswalk.matches([code])[1]
        links = [crosswalk.links[row] for row in rows if crosswalk.links[row].concept]
        told = [(link.concept, link.state) for link in links]
    elif code in vocabulary.concept_states:
        told = [(code, "")]
    else:
        return None
    return [
        (concept, state or (None if concept in vocabulary.bins else PRESENT))
        for concept, state in told
    ]


def check_unit_keys(units: Collection[str], codes: Sequence[str], vocabulary: Vocabulary) -> None:
    """Raise StudyError for units of what is neither a code of the data nor a concept."""
    for key in units:
        if key not in vocabulary.concept_states and key not in codes:
            names = [*vocabulary.concept_states, *codes]
            raise StudyError(
                f"units: '{key}' is neither a code of the data nor a concept{nearest(key, names)}"
            )
