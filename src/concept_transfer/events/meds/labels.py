"""Labels in the label schema of the standard: who is predicted, when, and the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.events.database import count, listed, quoted, reading
from concept_transfer.events.meds.columns import NUMBER, PATIENT, TEXT, TIME, TRUTH, check_columns

REQUIRED = {"subject_id": PATIENT, "prediction_time": TIME}
VALUES = {"boolean_value": TRUTH, "integer_value": PATIENT, "categorical_value": TEXT}
UNSUPPORTED = "float_value"
NO_VALUE = "labels without a value"


def label_files(path: Path) -> list[Path]:
    """The file itself, or the Parquet files of a folder."""
    return sorted(path.rglob("*.parquet")) if path.is_dir() else [path]


def check_labels(path: Path, classes: Sequence[str]) -> None:
    """Raise StudyError for files that are not labels of these classes; reads headers alone."""
    _check_there(path)
    for file in label_files(path):
        names = check_columns(file, REQUIRED, {**VALUES, UNSUPPORTED: NUMBER})
        if not set(VALUES) & set(names):
            told = f" ({UNSUPPORTED} is a number to be estimated, no class)"
            raise StudyError(
                f"{file} has no label that can be a class: it needs one of {', '.join(VALUES)}"
                f"{told if UNSUPPORTED in names else ''}"
            )


def read_labels(
    db: DuckDBPyConnection, path: Path, classes: Sequence[str] | None
) -> dict[str, int]:
    """Make ``labels`` (patient, time, label) of the files; returns how many have no value.

    false, 0 or the first of `classes` is class 0; without `classes` all are. Raises StudyError with
    file and row for a class that there is not, and for two labels of one patient at one time.
    """
    files = label_files(path)
    names = {name for file in files for name in check_columns(file, REQUIRED)}
    values = [name for name in VALUES if name in names]
    _read_given(db, path, values)
    used = [name for name in values if count(db, f"SELECT count({name}) FROM given_labels")]
    if len(used) > 1:
        raise StudyError(
            f"labels {path}: {' and '.join(used)} have values; a task has labels of one kind, so "
            "keep one of the columns"
        )
    number = "0"
    known = " OR ".join(f"{name} IS NOT NULL" for name in used) or "false"
    if used and classes is not None:
        number = _class_number(used[0], classes)
        _refuse(
            db,
            f"({known}) AND ({number} IS NULL OR {number} NOT BETWEEN 0 AND {len(classes) - 1})",
            f"is none of the {len(classes)} classes of the task, {', '.join(classes)}: "
            "categorical_value holds their names, integer_value counts them from 0, and "
            "boolean_value is for two (task.classes)",
        )
    db.execute(
        "CREATE OR REPLACE TEMP TABLE labels AS "
        f"SELECT patient, time, ({number})::TINYINT AS label FROM given_labels WHERE {known}"
    )
    return {NO_VALUE: count(db, f"SELECT count(*) FROM given_labels WHERE NOT ({known})")}


def read_times(db: DuckDBPyConnection, path: Path) -> None:
    """Make ``labels`` as `read_labels` does, of files of which subjects and times alone count: all
    are of class 0. Raises StudyError, also for files without these columns."""
    _check_there(path)
    for file in label_files(path):
        check_columns(file, REQUIRED)
    _read_given(db, path, [])
    db.execute(
        "CREATE OR REPLACE TEMP TABLE labels AS "
        "SELECT patient, time, 0::TINYINT AS label FROM given_labels"
    )


def _check_there(path: Path) -> None:
    if not path.exists() or not label_files(path):
        raise StudyError(
            f"labels: {path} does not exist or holds no Parquet file; give a file, or a folder, in "
            "the label schema of MEDS"
        )


def _read_given(db: DuckDBPyConnection, path: Path, values: Sequence[str]) -> None:
    """Make ``given_labels`` (patient, time, file, row and the columns `values`) of the files."""
    columns = ["subject_id AS patient", "prediction_time::TIMESTAMP AS time", *values]
    with reading(f"labels {path}", "write them anew"):
        db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE given_labels AS
            SELECT {", ".join(columns)}, filename AS file, file_row_number + 1 AS row
            FROM read_parquet({listed(label_files(path))}, filename = true, file_row_number = true,
                union_by_name = true)
            """
        )
    _refuse(db, "patient IS NULL OR time IS NULL OR NOT isfinite(time)", "has no subject or time")
    _refuse(
        db,
        "(patient, time) IN (SELECT (patient, time) FROM given_labels GROUP BY patient, time "
        "HAVING count(*) > 1)",
        "has the subject and the prediction time of another row; a subject has one label at a time",
    )


def _class_number(column: str, classes: Sequence[str]) -> str:
    """The number of the class that a column says, in SQL; null for none."""
    if column == "integer_value":
        return "integer_value"
    if column == "boolean_value":
        return "boolean_value::BIGINT" if len(classes) == 2 else "NULL::BIGINT"
    cases = " ".join(f"WHEN {quoted(name)} THEN {number}" for number, name in enumerate(classes))
    return f"CASE categorical_value {cases} END"


def _refuse(db: DuckDBPyConnection, condition: str, problem: str) -> None:
    """Raise StudyError if a condition holds for a row of ``given_labels``."""
    row = db.execute(
        f"SELECT file, row, count(*) OVER () FROM given_labels WHERE {condition} "
        "ORDER BY file, row LIMIT 1"
    ).fetchone()
    if row:
        file, number, rows = row
        raise StudyError(f"{file}, row {number} {problem}; {rows} row(s) are affected")
