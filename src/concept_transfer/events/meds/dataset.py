"""A MEDS dataset on disk: its files, and its events as relations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.events.database import listed, reading
from concept_transfer.events.meds.columns import KEY, NUMBER, PATIENT, TEXT, TIME, check_columns
from concept_transfer.events.quarantine import set_aside

DATA, CODES, SPLITS = "data", "metadata/codes.parquet", "metadata/subject_splits.parquet"
BIRTH, DEATH = "MEDS_BIRTH", "MEDS_DEATH"
PARTITIONS = {"train": "train", "tuning": "validation", "held_out": "test"}
REQUIRED = {"subject_id": PATIENT, "time": TIME, "code": TEXT}
PROBLEMS = {
    "without a subject_id": "patient IS NULL",
    "without a code": "code IS NULL OR trim(code) = ''",
    "with an infinite time": "NOT isfinite(time)",
    "before the birth of the patient": "time < birth",
}


@dataclass(frozen=True)
class Dataset:
    """A folder in the layout of the standard; unit, visit: the extension columns of units and of
    visits, if any are."""

    folder: Path
    unit: str | None
    visit: str | None = None

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / DATA).rglob("*.parquet"))

    @property
    def _extensions(self) -> list[tuple[str | None, str]]:
        return [(self.unit, TEXT), (self.visit, KEY)]

    @property
    def metadata(self) -> list[Path]:
        """The files beside the data that are there."""
        return [path for name in (CODES, SPLITS) if (path := self.folder / name).is_file()]

    def check(self) -> None:
        """Raise StudyError for a folder or file that breaks the standard; reads headers alone."""
        if not self.files:
            raise StudyError(
                f"{self.folder} is no MEDS dataset: it should have Parquet files in the folder "
                f"'{DATA}'; 'path' names the folder above it"
            )
        further = {"numeric_value": NUMBER}
        further |= {column: kind for column, kind in self._extensions if column is not None}
        for file in self.files:
            check_columns(file, REQUIRED, further)
        codes, splits = self.folder / CODES, self.folder / SPLITS
        if codes.is_file():
            check_columns(codes, {"code": TEXT}, {"description": TEXT})
        if splits.is_file():
            check_columns(splits, {"subject_id": PATIENT, "split": TEXT})

    def load(self, db: DuckDBPyConnection, most: float) -> pa.Table:
        """Make ``events``, ``observed``, ``births`` and ``partitions`` of the files.

        A patient is observed from the first event but the birth to the last. Returns the rows that
        cannot be used, of which there may be the share `most` of all.
        """
        self._raw(db)
        db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE births AS SELECT patient, min(time) AS time FROM raw
            WHERE code = '{BIRTH}' AND patient IS NOT NULL AND isfinite(time) GROUP BY patient
            """
        )
        db.execute(
            "CREATE OR REPLACE TEMP VIEW dated AS SELECT raw.*, births.time AS birth FROM raw "
            "LEFT JOIN births USING (patient)"
        )
        bad, _ = set_aside(db, "dated", PROBLEMS, most)
        found = set(bad["reason"].unique().to_pylist())
        problems = [condition for reason, condition in PROBLEMS.items() if reason in found]
        usable = " AND ".join(f"coalesce(NOT ({each}), true)" for each in problems) or "true"
        relation = "dated" if problems else "raw"
        db.execute(
            f"CREATE OR REPLACE TEMP VIEW events AS SELECT patient, time, code, value, unit, "
            f"visit FROM {relation} WHERE {usable}"
        )
        db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE observed AS
            SELECT patient, min(time) FILTER (WHERE code <> '{BIRTH}') AS start,
                max(time) AS stop, min(time) FILTER (WHERE code = '{DEATH}') AS death
            FROM events GROUP BY patient
            """
        )
        self._partitions(db)
        return bad

    def _raw(self, db: DuckDBPyConnection) -> None:
        """The view ``raw`` over all files, with file and row (from 1)."""
        names = {name for file in self.files for name in check_columns(file, REQUIRED)}
        value = "numeric_value::DOUBLE" if "numeric_value" in names else "NULL::DOUBLE"
        unit, visit = (
            f'"{column}"::VARCHAR' if column in names else "NULL::VARCHAR"
            for column in (self.unit, self.visit)
        )
        db.execute(
            f"""
            CREATE OR REPLACE TEMP VIEW raw AS
            SELECT subject_id AS patient, time::TIMESTAMP AS time, code::VARCHAR AS code,
                {value} AS value, {unit} AS unit, {visit} AS visit,
                filename[{len(str(self.folder)) + 2}:] AS file, file_row_number + 1 AS row
            FROM read_parquet({listed(self.files)}, filename = true, file_row_number = true,
                union_by_name = true)
            """
        )

    def _partitions(self, db: DuckDBPyConnection) -> None:
        path = self.folder / SPLITS
        if not path.is_file():
            return
        cases = " ".join(f"WHEN '{name}' THEN '{ours}'" for name, ours in PARTITIONS.items())
        db.execute(
            f"CREATE OR REPLACE TEMP TABLE partitions AS SELECT subject_id AS patient, "
            f"CASE split {cases} END AS partition FROM read_parquet({listed([path])})"
        )
        twice = db.execute("SELECT 1 FROM partitions GROUP BY patient HAVING count(*) > 1")
        if twice.fetchone():
            raise StudyError(f"{path} has subjects in several rows; each has one split")

    @property
    def has_partitions(self) -> bool:
        return (self.folder / SPLITS).is_file()

    def descriptions(self, db: DuckDBPyConnection) -> dict[str, tuple[str | None, list[str]]]:
        """Code -> description and parent codes, of ``metadata/codes.parquet``; empty without it."""
        path = self.folder / CODES
        if not path.is_file():
            return {}
        names = check_columns(path, {"code": TEXT})
        description = "description" if "description" in names else "NULL"
        parents = "parent_codes::VARCHAR[]" if "parent_codes" in names else "NULL"
        with reading(str(path), "make it anew"):
            rows = db.execute(
                f"SELECT code, {description}, {parents} FROM read_parquet({listed([path])}) "
                "WHERE code IS NOT NULL"
            ).fetchall()
        return {code: (text, parents or []) for code, text, parents in rows}
