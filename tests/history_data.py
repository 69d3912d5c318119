"""Patients' histories made up for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from concept_transfer.inputs.history import History
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.encoders import CodeEncoder

SMALL = {"width": 16, "heads": 2, "layers": 2, "feed_forward": 32, "min_count": 1}


def encoder(**settings: object) -> CodeEncoder:
    """A small encoder of the site `a`."""
    return CodeEncoder.model_validate({"sites": ["a"], **SMALL, **settings})


def history(
    rows: Sequence[Sequence[tuple[str, int, float]]],
    names: Sequence[str],
    age: float = 50.0,
    index_day: float = 9000.0,
) -> History:
    """Rows of events (code, visit, days before the index); visit 0 is background. All patients are
    of one age at the index."""
    events = [event for row in rows for event in row]
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    visits = np.array([visit for _, visit, _ in events], np.int32)
    days = np.array([day if visit else np.nan for _, visit, day in events], np.float32)
    places = {name: place for place, name in enumerate(names)}
    codes = np.array([places[code] for code, _, _ in events], np.int32)
    ages = np.float32(age) - days / np.float32(365.25)
    index_days = np.full(len(rows), index_day)
    return History(CompressedRows(offsets, codes), visits, days, ages, index_days, tuple(names))


def chains(patients: int, seed: int, codes: int = 12, faithful: float = 0.95) -> History:
    """Patients whose next code is the one after the last, mostly; two or three codes a visit."""
    rng = np.random.default_rng(seed)
    names = [f"D/{code:02d}" for code in range(codes)] + ["S/F", "S/M"]
    rows = []
    for _ in range(patients):
        code, row = int(rng.integers(codes)), [(f"S/{'FM'[rng.integers(2)]}", 0, np.nan)]
        length = int(rng.integers(6, 30))
        for place in range(length):
            row.append((names[code], 1 + place // 3, 10.0 * (length - place // 3)))
            code = (code + 1) % codes if rng.random() < faithful else int(rng.integers(codes))
        rows.append(row)
    return history(rows, names)
