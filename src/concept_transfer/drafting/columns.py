"""What the columns of a hospital's extracts hold: ids, days, the outcome, findings, numbers."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from concept_transfer.drafting.vocabulary import ABSENT, FEWEST, PRESENT, Code
from concept_transfer.errors import StudyError
from concept_transfer.sites.coverage import closest, did_you_mean
from concept_transfer.sites.files import header, read_table, text_column
from concept_transfer.sites.spelling import NOT_RECORDED, spelled, state_of_spelling
from concept_transfer.sites.tabular_site import TabularSite

# Usual names of columns, of which the first that is there is taken.
ROLES = {
    "encounter": ("encounter", "encounter_id", "visit", "visit_id", "stay_id", "hadm_id"),
    "patient": ("patient", "patient_id", "person", "person_id", "subject_id"),
    "time": ("time", "date", "visit_date", "admission_date", "admittime"),
}
POSITIVE = ("1", "yes", "true", "present", "positive")
WORDS = {"yes": PRESENT, "present": PRESENT, "true": PRESENT}
WORDS |= {"no": ABSENT, "absent": ABSENT, "false": ABSENT}
MOST_STATES = 20
FEWEST_NUMBERS = 10  # more different numbers than these are measured, and not grades


@dataclass(frozen=True)
class Columns:
    """roles: key of a tabular site -> column; label: value of the outcome -> rows; codes: columns
    that hold states; numbers: columns to divide into bins; ignored: columns without a finding, and
    why."""

    roles: dict[str, str]
    label: dict[str, int]
    codes: list[Code]
    numbers: list[str]
    ignored: dict[str, str]


def columns_of(paths: Sequence[Path], label: str, roles: Mapping[str, str | None]) -> Columns:
    """Read extracts of sites, whose rows count together.

    label: the outcome's column; roles: columns that are known, else they go by usual names. Raises
    StudyError where a file cannot be read, or has no such column.
    """
    values: dict[str, Counter[str]] = {}
    for path in paths:
        names = header(path)
        for name in (label, *filter(None, roles.values())):
            if name not in names:
                like = did_you_mean(closest(name, names))
                raise StudyError(f"{path} has no column '{name}'; it has {', '.join(names)}{like}")
        table = read_table(path, names)
        for name in names:
            column = text_column(table.column(name))
            counts = Counter(column.codes.tolist())
            own = {column.values[code]: count for code, count in counts.items()}
            values.setdefault(name, Counter()).update(own)
    found = {key: column for key, column in roles.items() if column} | {
        key: usual_name
        for key, usual in ROLES.items()
        if not roles.get(key) and (usual_name := _first(values, usual)) and usual_name != label
    }
    codes, numbers, ignored = [], [], {}
    for name, counts in values.items():
        if name in (label, *found.values()):
            continue
        kind = _kind(counts)
        if isinstance(kind, dict):
            codes.append(Code(name, kind))
        elif kind == "numbers":
            numbers.append(name)
        else:
            ignored[name] = kind
    return Columns(found, dict(values[label]), codes, numbers, ignored)


def _first(names: Iterable[str], usual: Sequence[str]) -> str | None:
    return min(
        (name for name in names if name.casefold() in usual),
        key=lambda name: usual.index(name.casefold()),
        default=None,
    )


def _kind(counts: Mapping[str, int]) -> dict[str, int] | str:
    """The states of a column with their rows, ``numbers``, or why it holds no finding."""
    usual = TabularSite.model_construct(adapter="tabular").spelling
    meaning = state_of_spelling(usual, "spelling")
    empty = {spelled(word) for word in usual[NOT_RECORDED]}
    recorded = {value: n for value, n in counts.items() if spelled(value) not in empty}
    if not recorded:
        return "nothing is recorded"
    if all(spelled(value) in meaning for value in recorded):
        return _merged(recorded, lambda value: meaning[spelled(value)])
    if all(map(_is_number, recorded)) and len(recorded) > FEWEST_NUMBERS:
        return "numbers"
    if all(map(_is_day, recorded)):
        return "days"
    states = _merged(
        {value: n for value, n in counts.items() if value},
        lambda value: WORDS.get(spelled(value), value),
    )
    if len(states) > MOST_STATES:
        return f"{len(states):,} different values"
    if max(states.values()) < FEWEST:
        return f"no value in {FEWEST} rows or more"
    return states


def _merged(counts: Mapping[str, int], state_of: Callable[[str], str]) -> dict[str, int]:
    """Rows of each state, spelled as its most frequent value; case tells no states apart."""
    names: dict[str, str] = {}
    merged: Counter[str] = Counter()
    for value, count in sorted(counts.items(), key=lambda item: -item[1]):
        state = state_of(value)
        merged[names.setdefault(spelled(state), state)] += count
    order = {PRESENT: 0, ABSENT: 1}
    return dict(sorted(merged.items(), key=lambda item: (order.get(item[0], 2), item[0])))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_day(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
