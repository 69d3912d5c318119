"""States that are intervals of a number: their names, and the vocabulary that holds them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError

if TYPE_CHECKING:
    from concept_transfer.concepts.vocabulary import Vocabulary
    from concept_transfer.settings.bins import Bins

OPEN = "-inf"
CATEGORY = "measurement"


@dataclass(frozen=True)
class Binned:
    """Bins of one concept: state i holds edges[i - 1] <= number < edges[i], the outer two are open.

    `edges` float64 [k - 1], ascending; `states` [k].
    """

    edges: NDArray[np.float64]
    states: tuple[str, ...]

    def state_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        """Position of the state that holds each number, int64 [n]; no number may be NaN."""
        return np.searchsorted(self.edges, numbers, side="right")


def state_names(edges: Sequence[float], unit: str = "") -> list[str]:
    """Names of the k bins between k - 1 ascending edges.

    Whole edges that lie apart read as people write whole numbers ("45 to 54" reaches to below 55);
    other edges name the number that begins the next bin ("37.5 to below 38.5").

    >>> state_names([45, 55])
    ['below 45', '45 to 54', '55 or more']
    >>> state_names([37.5, 38.5], unit="°C")
    ['below 37.5 °C', '37.5 to below 38.5 °C', '38.5 °C or more']
    """
    texts = [_number(edge) for edge in edges]
    whole = all(float(edge).is_integer() for edge in edges) and min(np.diff(edges), default=2) >= 2
    last = [_number(edge - 1) if whole else f"below {_number(edge)}" for edge in edges[1:]]
    between = [f"{first} to {end}" for first, end in zip(texts[:-1], last, strict=True)]
    after = f" {unit}" if unit else ""
    return [
        *(f"{name}{after}" for name in (f"below {texts[0]}", *between)),
        f"{texts[-1]}{after} or more",
    ]


def planned_edges(bins: Mapping[str, Bins]) -> dict[str, list[float]]:
    """The edges that a config states; numbers from 1 stand for quantiles, which data will give."""
    return {
        concept: [float(i) for i in range(1, entry.quantiles.bins)]
        if entry.quantiles
        else list(entry.edges or [])
        for concept, entry in bins.items()
    }


def with_bins(
    vocabulary: Vocabulary, bins: Mapping[str, Bins], edges: Mapping[str, Sequence[float]]
) -> Vocabulary:
    """The vocabulary with every bin as a token, after the tokens that it has.

    A concept that it has keeps its name and category, and a state that it has keeps its text.
    Raises StudyError where the config says otherwise, or the vocabulary has bins of its own.
    """
    rows = [list(row) for row in zip(*_columns(vocabulary), strict=True)]
    for concept, entry in bins.items():
        if concept in vocabulary.bins:
            raise StudyError(
                f"bins.{concept}: the vocabulary's column 'lower' has bins of this concept "
                "already; leave them out in one of the two places"
            )
        name, category = _described(vocabulary, concept, entry)
        lowers = [OPEN, *(_number(edge) for edge in edges[concept])]
        for state, lower in zip(state_names(edges[concept], entry.unit), lowers, strict=True):
            token = vocabulary.index.get((concept, state))
            if token is None:
                rows.append([concept, name, category, state, f"{name} {state}", lower])
            else:
                rows[token][-1] = lower
    return dataclasses.replace(
        vocabulary,
        **{
            field.name: tuple(column)
            for field, column in zip(
                dataclasses.fields(vocabulary), zip(*rows, strict=True), strict=True
            )
        },
    )


def read_bins(
    concepts: Sequence[str], states: Sequence[str], lowers: Sequence[str]
) -> dict[str, Binned]:
    """Bins of every concept from the numbers at which its states begin.

    Raises StudyError naming concept and state for what is no number, for two states that begin
    alike, and where not exactly one bin is open below (-inf).
    """
    beginnings: dict[str, dict[float, str]] = {}
    for concept, state, lower in zip(concepts, states, lowers, strict=bool(lowers)):
        if not lower:
            continue
        try:
            begin = float(lower)
        except ValueError:
            begin = math.nan
        known = beginnings.setdefault(concept, {})
        if math.isnan(begin) or begin == math.inf or begin in known:
            raise StudyError(
                f"vocabulary: concept {concept}, state '{state}': 'lower' is '{lower}'; a bin "
                f"begins at a number ({OPEN} for the first) where no other bin of its concept does"
            )
        known[begin] = state
    for concept, known in beginnings.items():
        if -math.inf not in known or len(known) < 2:
            raise StudyError(
                f"vocabulary: the bins of concept {concept} begin at "
                f"{', '.join(map(_number, sorted(known)))}; the first of two or more begins at "
                f"{OPEN}"
            )
    return {
        concept: Binned(np.array(sorted(known)[1:]), tuple(known[begin] for begin in sorted(known)))
        for concept, known in beginnings.items()
    }


def _columns(vocabulary: Vocabulary) -> list[tuple[str, ...]]:
    *columns, lowers = (getattr(vocabulary, f.name) for f in dataclasses.fields(vocabulary))
    return [*columns, lowers or ("",) * len(vocabulary)]


def _described(vocabulary: Vocabulary, concept: str, entry: Bins) -> tuple[str, str]:
    """Name and category of a binned concept."""
    if concept not in vocabulary.concept_states:
        return entry.name or concept, entry.category or CATEGORY
    token = vocabulary.concepts.index(concept)
    name, category = vocabulary.names[token], vocabulary.categories[token]
    for key, given, known in (("name", entry.name, name), ("category", entry.category, category)):
        if given not in (None, known):
            raise StudyError(
                f"bins.{concept}.{key} is '{given}', but the vocabulary says '{known}'; leave it "
                "out, or make the two agree"
            )
    return name, category


def _number(value: float) -> str:
    """The shortest decimal notation, 45 and not 45.0."""
    return OPEN if value == -math.inf else np.format_float_positional(value, trim="-")
