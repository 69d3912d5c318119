"""Drafts a vocabulary from the files of eICU, whose licence keeps their strings out of this one.

``python -m concept_transfer.sites.eicu_vocabulary FOLDER OUT.tsv`` writes the codes recorded in the
first hours of enough stays; rarer ones count for the step of the path above them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from concept_transfer.concepts.bins import OPEN, state_names
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.sites.eicu_site import DEFAULT, TABLES, Table
from concept_transfer.sites.eicu_stays import AGE, SEX, read_stays
from concept_transfer.sites.eicu_tables import STAY, Records, check_file, read_records

AGES = (45, 65, 80)
_Row = tuple[str, str, str, str, str, str]


def draft(
    folder: Path,
    stays: int = 20,
    after_hours: float = 24,
    tables: Sequence[str] = DEFAULT,
) -> Vocabulary:
    """Age, sex, and a concept for every code that the first `after_hours` of at least `stays` stays
    of that length record. Raises StudyError for what is wrong with the files."""
    for name in ("patient", "hospital", *(TABLES[table].file for table in tables)):
        check_file(folder, name)
    minutes = 60 * after_hours
    known = read_stays(folder)
    known = known[known["minutes"] >= minutes]
    rows = _people()
    for table in tables:
        records = read_records(folder, table, known[STAY], minutes)
        rows += [_row(table, code) for code in frequent(records, stays)]
    return Vocabulary(*(tuple(column) for column in zip(*rows, strict=True)))


def frequent(records: Records, stays: int) -> list[str]:
    """Codes of at least `stays` stays, sorted. What is rarer counts for the step above, together
    with what else is rare below it, up to the first step under the table's name."""
    found = []
    stay, codes = records.stay, records.codes
    code = records.code.astype(np.int64)
    for depth in range(max((c.count("|") for c in codes), default=0), 0, -1):
        deep = np.array([c.count("|") == depth for c in codes])
        count = int(stay.max(initial=0)) + 1
        pairs = np.unique(code * count + stay)
        number = np.bincount(pairs // count, minlength=len(codes))
        found += [
            c for c, is_deep, n in zip(codes, deep, number, strict=True) if is_deep and n >= stays
        ]
        rare = deep & (number < stays)
        above = [
            c.rpartition("|")[0] if is_rare else c for c, is_rare in zip(codes, rare, strict=True)
        ]
        codes = list(dict.fromkeys(above))
        place = {c: i for i, c in enumerate(codes)}
        code = np.array([place[c] for c in above], np.int64)[code]
    return sorted(found)


def _people() -> list[_Row]:
    lowers = [OPEN, *map(str, AGES)]
    ages = zip(state_names(AGES), lowers, strict=True)
    return [
        *((AGE, "age", AGE, state, f"age {state} years", lower) for state, lower in ages),
        *((SEX, "sex", SEX, state, f"{state} patient", "") for state in ("female", "male")),
    ]


def _row(table: str, code: str) -> _Row:
    """A code as a token: the last two steps of its path are its name, the whole path its text."""
    steps = [step.removesuffix(" (R)").strip() for step in code.split("|")[1:]]
    different = [
        step
        for i, step in enumerate(steps)
        if i + 1 == len(steps) or step.casefold() != steps[i + 1].casefold()
    ]
    return code, ": ".join(different[-2:]), table, "present", f"{table}: {', '.join(different)}", ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m concept_transfer.sites.eicu_vocabulary", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="folder of eICU's tables")
    parser.add_argument("out", type=Path, help="the vocabulary to write (TSV)")
    parser.add_argument("--stays", type=int, default=20, help="fewest stays of a concept")
    parser.add_argument("--after-hours", type=float, default=24, help="as in the sites' sections")
    parser.add_argument("--tables", nargs="+", default=DEFAULT, choices=get_args(Table))
    given = parser.parse_args(arguments)
    try:
        vocabulary = draft(given.folder, given.stays, given.after_hours, given.tables)
    except StudyError as error:
        print(error, file=sys.stderr)
        return 1
    given.out.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.write(given.out)
    print(f"{given.out}: {len(vocabulary.concept_states)} concepts; read it before you use it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
