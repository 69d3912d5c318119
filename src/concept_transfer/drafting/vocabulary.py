"""A first vocabulary, from what a hospital records; its texts are to be read and corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from concept_transfer.concepts.vocabulary import Vocabulary

FEWEST = 5  # rows: what fewer hold may be about one person, and a vocabulary travels with models
PRESENT, ABSENT = "present", "absent"
CATEGORIES = {
    "age": ("age", "age_group", "age_years", "agegroup"),
    "sex": ("sex", "gender"),
}


@dataclass(frozen=True)
class Code:
    """A column, or a code of a coding system, with what is recorded under it.

    code: becomes the concept; states: state -> rows (of events: encounters) that have it; name:
    in words, else made of the code; category: else by the code's name, or `finding`.
    """

    code: str
    states: Mapping[str, int]
    name: str = ""
    category: str = ""


@dataclass(frozen=True)
class Draft:
    """A vocabulary, and the number of states of each code that were left out because fewer than
    `FEWEST` rows hold them."""

    vocabulary: Vocabulary
    left_out: dict[str, int] = field(default_factory=dict)


def vocabulary_draft(codes: Iterable[Code]) -> Draft:
    """A token for every state that is not rare, in the order of the codes.

    >>> codes = [Code("sore_throat", {"present": 40, "absent": 60}), Code("ward", {"A": 9, "B": 1})]
    >>> draft = vocabulary_draft(codes)
    >>> draft.vocabulary.texts, draft.left_out
    (('sore throat', 'no sore throat', 'ward A'), {'ward': 1})
    """
    rows: list[tuple[str, ...]] = []
    left_out: dict[str, int] = {}
    for code in codes:
        name = code.name or code.code.replace("_", " ").strip()
        category = code.category or category_of(code.code)
        rare = [state for state, count in code.states.items() if count < FEWEST]
        if rare:
            left_out[code.code] = len(rare)
        for state in code.states:
            if state not in rare:
                rows.append((code.code, name, category, state, _text(name, state)))
    columns = zip(*rows, strict=True) if rows else [()] * 5
    return Draft(Vocabulary(*columns), left_out)


def category_of(code: str) -> str:
    """Age and sex divide a report's results into groups; all else is a finding."""
    for category, names in CATEGORIES.items():
        if code.casefold() in names:
            return category
    return "finding"


def _text(name: str, state: str) -> str:
    return {PRESENT: name, ABSENT: f"no {name}"}.get(state, f"{name} {state}")
