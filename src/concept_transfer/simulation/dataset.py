"""A simulated site in the layout of the Medical Event Data Standard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from concept_transfer.simulation.lives import Lives, live
from concept_transfer.simulation.records import records_of
from concept_transfer.simulation.visits import visits_of
from concept_transfer.simulation.world import QUARTER, Floats, Numbers, World

OPENING = np.datetime64("2010-01-01T00:00", "us")
PATIENTS_A_FILE = 10_000
MORNING, HOURS = 8, 9  # all happens from eight to five
BIRTH, DEATH, END = "MEDS_BIRTH", "MEDS_DEATH", "ENROLLMENT//END"
EVENTS = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        ("time", pa.timestamp("us")),
        pa.field("code", pa.string(), nullable=False),
        ("numeric_value", pa.float32()),
    ]
)
CODES = pa.schema(
    [("code", pa.string()), ("description", pa.string()), ("parent_codes", pa.list_(pa.string()))]
)


def write_dataset(world: World, patients: int, seed: int, folder: Path) -> None:
    """Write ``data/<n>.parquet`` of up to 10,000 patients each, ``metadata/codes.parquet`` and
    ``metadata/dataset.json``. Subjects count from 1; the same seed gives the same tables."""
    for part in ("data", "metadata"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number, (first, lives) in enumerate(blocks(world, patients, seed)):
        rng = np.random.default_rng([seed, number, 1])
        pq.write_table(_events(world, first, lives, rng), folder / "data" / f"{number}.parquet")
    pq.write_table(_codes(world), folder / "metadata" / "codes.parquet")
    about = {"dataset_name": "simulated histories", "meds_version": "0.4.1"}
    (folder / "metadata" / "dataset.json").write_text(json.dumps(about), encoding="utf-8")


def blocks(world: World, patients: int, seed: int) -> Iterator[tuple[int, Lives]]:
    """The first subject and the lives of those who share a file."""
    for number, start in enumerate(range(0, patients, PATIENTS_A_FILE)):
        count = min(PATIENTS_A_FILE, patients - start)
        yield start + 1, live(world, count, np.random.default_rng([seed, number, 0]))


def _events(world: World, first: int, lives: Lives, rng: np.random.Generator) -> pa.Table:
    """The events of a file, by subject and time; what has no time comes first."""
    visits = visits_of(world, lives, rng)
    visit, code = records_of(world, lives, visits, rng)
    everybody, dead = np.arange(len(lives)), np.flatnonzero(np.isfinite(lives.death))
    names = [*world.codes, BIRTH, DEATH]
    number = {name: place for place, name in enumerate(names)}
    sexes = np.where(lives.female, number["GENDER//F"], number["GENDER//M"])
    born = OPENING + lives.entry.astype("m8[D]") - (lives.age * 365.25).astype("m8[D]")
    born = born.astype("M8[D]").astype("M8[us]")
    parts = [
        (everybody, np.full(len(lives), np.datetime64("NaT"), "M8[us]"), sexes),
        (everybody, born, np.full(len(lives), number[BIRTH])),
        (visits.patient[visit], clock(lives, visits.patient[visit], visits.time[visit]), code),
        (everybody, clock(lives, everybody, lives.end), np.full(len(lives), number[END])),
        (dead, clock(lives, dead, lives.death[dead]), np.full(len(dead), number[DEATH])),
    ]
    patient, time, written = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((written, time.view(np.int64), patient))
    texts = pa.DictionaryArray.from_arrays(pa.array(written[order], pa.int32()), pa.array(names))
    columns = {
        "subject_id": pa.array(patient[order] + first),
        "time": pa.array(time[order]),
        "code": texts.cast(pa.string()),
        "numeric_value": pa.nulls(len(order), pa.float32()),
    }
    return pa.table(columns, schema=EVENTS)


def clock(lives: Lives, patient: Numbers, quarters: Floats) -> np.ndarray:
    """The minute at which something happens, in opening hours, in the order of the times."""
    days, part = np.divmod(lives.entry[patient] + quarters * QUARTER, 1)
    minutes = days * 24 * 60 + 60 * (MORNING + HOURS * part)
    return np.asarray(OPENING + minutes.astype("m8[m]"))


def _codes(world: World) -> pa.Table:
    """All codes with descriptions; the parent of a code is its category in the classification."""
    rows = [
        {"code": code, "description": text, "parent_codes": parents_of(code)}
        for code, text in zip(world.codes, world.texts, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=CODES)


def parents_of(code: str) -> list[str]:
    """What stands before the point of a diagnosis, the chemical subgroup of a drug, the test of a
    result."""
    system, _, own = code.partition("/")
    if system == "ICD10CM" and "." in own:
        return [code.partition(".")[0]]
    if system == "ATC":
        return [code[:-2]]
    return [code.partition("//")[0]] if system == "LOINC" else []
