"""What the codes that a site records stand for: by its crosswalk, and by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.crosswalk import EXACT, Crosswalk, Link
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.paths import resolve
from concept_transfer.settings.sites import CodedSite


def crosswalk_of(site: CodedSite, vocabulary: Vocabulary, root: Path) -> Crosswalk | None:
    """The site's crosswalk, if it has one (StudyError)."""
    return Crosswalk.read(resolve(site.crosswalk, root), vocabulary) if site.crosswalk else None


def links_of(
    codes: Sequence[str], crosswalk: Crosswalk | None, vocabulary: Vocabulary
) -> dict[str, list[Link]]:
    """Code -> the rows of the crosswalk that speak for it; codes that none speaks for lack.

    Without a crosswalk a code is the concept of its name.
    """
    if crosswalk is None:
        known = [code for code in codes if code in vocabulary.concept_states]
        return {code: [Link(code, code, "", EXACT, "", "")] for code in known}
    links: dict[str, list[Link]] = {}
    for code, row in zip(*crosswalk.matches(codes), strict=True):
        links.setdefault(codes[int(code)], []).append(crosswalk.links[row])
    return links


def tokens_of(
    codes: Sequence[str], crosswalk: Crosswalk | None, by_name: Callable[[str], int | None]
) -> dict[str, list[int]]:
    """Code -> its tokens, none where the crosswalk sets it aside; codes that mean nothing lack.

    A code that the crosswalk does not know has the token that `by_name` says, if any.
    """
    tokens = {code: [token] for code in codes if (token := by_name(code)) is not None}
    if crosswalk is not None:
        tokens |= {codes[int(i)]: [] for i in np.flatnonzero(crosswalk.known(codes))}
        for position, token in zip(*crosswalk.tokens(codes), strict=True):
            tokens[codes[int(position)]].append(int(token))
    return tokens


def token_pairs(
    recorded: Mapping[str, NDArray[np.int64]], tokens: Mapping[str, Sequence[int]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Encounter and token of what codes record, int64 [pairs] each; `recorded`: code -> its
    encounters."""
    pairs = [(rows, token) for code, rows in recorded.items() for token in tokens.get(code, ())]
    encounter = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in pairs)])
    values = np.array([token for _, token in pairs], np.int64)
    return encounter, np.repeat(values, [len(rows) for rows, _ in pairs])
