"""Events in the layout of the Medical Event Data Standard, and Synthea's patients in it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from synthea import diagnoses, patients

Event = tuple[int, datetime.datetime | None, str, float | None, str | None]
EVENTS = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        ("time", pa.timestamp("us")),
        pa.field("code", pa.string(), nullable=False),
        ("numeric_value", pa.float32()),
        ("unit", pa.string()),
    ]
)
CODES = pa.schema(
    [("code", pa.string()), ("description", pa.string()), ("parent_codes", pa.list_(pa.string()))]
)
SPLITS = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)


def write_meds(
    folder: Path,
    events: Iterable[Event],
    descriptions: Mapping[str, str] | None = None,
    parents: Mapping[str, Sequence[str]] | None = None,
    splits: Mapping[int, str] | None = None,
    shards: int = 2,
    visits: Sequence[Any] | None = None,
) -> Path:
    """Write a dataset of a few shards, each of whole subjects, sorted by time.

    visits: that of each event (a text or a number, maybe none), for a column ``visit_id``.
    """
    given = list(events)
    order = sorted(range(len(given)), key=lambda i: _place(given[i]))
    rows, schema = [given[i] for i in order], EVENTS
    if visits is not None:
        rows = [(*given[i], visits[i]) for i in order]
        schema = EVENTS.append(pa.field("visit_id", pa.array(visits).type))
    for shard in range(shards):
        own = [row for row in rows if row[0] % shards == shard]
        _write(folder / "data" / f"part{shard}" / "0.parquet", own, schema)
    codes = sorted({row[2] for row in rows})
    texts, above = descriptions or {}, parents or {}
    metadata = [(code, texts.get(code), above.get(code)) for code in codes]
    _write(folder / "metadata" / "codes.parquet", metadata, CODES)
    if splits is not None:
        _write(folder / "metadata" / "subject_splits.parquet", sorted(splits.items()), SPLITS)
    about = {"dataset_name": "test", "meds_version": "0.4.1", "code_modifier_columns": ["unit"]}
    (folder / "metadata" / "dataset.json").write_text(json.dumps(about))
    return folder


def _place(event: Event) -> tuple[Any, ...]:
    subject, time, code, *_ = event
    return subject, time is not None, time or 0, code


def write_labels(path: Path, rows: Sequence[tuple[Any, ...]], kind: str = "boolean_value") -> Path:
    """Write labels (subject, time, value)."""
    types = {"boolean_value": pa.bool_(), "integer_value": pa.int64(), "float_value": pa.float32()}
    schema = pa.schema(
        [
            pa.field("subject_id", pa.int64(), nullable=False),
            pa.field("prediction_time", pa.timestamp("us"), nullable=False),
            pa.field(kind, types.get(kind, pa.string())),
        ]
    )
    _write(path, rows, schema)
    return path


def synthea_events(data: Path) -> list[Event]:
    """Births, deaths, genders, races, and diagnoses at nine o'clock of their day."""
    events: list[Event] = []
    for patient in patients(data):
        events += [
            (patient.number, at(patient.birth, 0), "MEDS_BIRTH", None, None),
            (patient.number, None, f"GENDER//{patient.gender}", None, None),
            (patient.number, None, f"RACE//{patient.race}", None, None),
        ]
        if patient.death is not None:
            events.append((patient.number, at(patient.death, 23), "MEDS_DEATH", None, None))
    return events + [
        (each.patient, at(each.day, 9), f"SNOMED/{each.code}", None, None)
        for each in diagnoses(data)
    ]


def at(day: datetime.date, hour: int) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(hour))


def _write(path: Path, rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, f.type) for column, f in zip(columns, schema, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
