"""Labels by a task config of ACES (Xu, Gallifant, Johnson, McDermott 2024, arXiv:2406.19653)."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import yaml
from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError

SCHEMA = pa.schema([("patient", pa.int64()), ("time", pa.timestamp("us")), ("label", pa.int64())])


def check_aces(path: Path) -> None:
    """Raise StudyError for a missing package, and for a config without prediction time or label;
    loads nothing of ACES."""
    if importlib.util.find_spec("aces") is None:
        raise StudyError(
            "aces: a task config of ACES is run by the package es-aces, which is not installed; "
            "pip install 'concept-transfer[meds]'"
        )
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        line = str(error).splitlines()[0]
        raise StudyError(f"aces: {path} cannot be read as YAML ({line})") from None
    windows = config.get("windows") if isinstance(config, dict) else None
    if not isinstance(windows, dict):
        raise StudyError(f"aces: {path} is no task config of ACES: it has no section 'windows'")
    for key, what in (("index_timestamp", "the prediction time"), ("label", "the outcome")):
        if not any(isinstance(window, dict) and window.get(key) for window in windows.values()):
            raise StudyError(
                f"aces: {path} does not say {what}: one of its windows needs the key '{key}'"
            )


def aces_labels(db: DuckDBPyConnection, path: Path, files: Sequence[Path]) -> None:
    """Make ``labels`` (patient, time, label) of a dataset's files, one file after the other.

    The time is that of the config's index_timestamp; class 1 has the label's predicate in the
    label's window. Raises StudyError for what ACES refuses, and for subjects in several files, as
    no valid dataset has them.
    """
    divided = "SELECT 1 FROM raw GROUP BY patient HAVING count(DISTINCT file) > 1 LIMIT 1"
    if db.execute(divided).fetchone():
        raise StudyError(
            "aces: some subjects have events in several files of the dataset; ACES reads one file "
            "after the other, and the standard keeps a subject in one file"
        )
    parts = [SCHEMA.empty_table()]
    for file in files:
        found = _query(path, file)
        if len(found):
            parts.append(
                pa.table(
                    [
                        found["subject_id"].to_arrow(),
                        found["index_timestamp"].to_arrow(),
                        (found["label"] > 0).to_arrow(),
                    ],
                    names=SCHEMA.names,
                ).cast(SCHEMA)
            )
    db.register("aces_rows", pa.concat_tables(parts))
    db.execute(
        "CREATE OR REPLACE TEMP TABLE labels AS SELECT patient, time, max(label)::TINYINT AS label "
        "FROM aces_rows GROUP BY patient, time"
    )
    db.unregister("aces_rows")


def _query(path: Path, file: Path) -> Any:
    """The rows of ACES for the subjects of one file; what it prints is left out."""
    from aces.config import TaskExtractorConfig
    from aces.predicates import get_predicates_df
    from aces.query import query

    logging.getLogger("aces").setLevel(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            config = TaskExtractorConfig.load(config_path=path)
            source = SimpleNamespace(path=str(file), standard="meds", ts_format=None)
            return query(config, get_predicates_df(config, source))
    except Exception as error:  # whatever ACES raises is about the config, or this file
        lines = str(error).splitlines() or [type(error).__name__]
        raise StudyError(f"aces: {path} cannot be applied to {file}: {lines[0]}") from None
