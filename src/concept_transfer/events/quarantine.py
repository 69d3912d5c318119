"""Rows that cannot be used: set aside and counted, or refused where they are many."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError

SCHEMA = pa.schema([("file", pa.string()), ("row", pa.int64()), ("reason", pa.string())])


def set_aside(
    db: DuckDBPyConnection, relation: str, problems: Mapping[str, str], most: float
) -> tuple[pa.Table, int]:
    """The unusable rows of a relation with columns ``file`` and ``row`` (from 1), of `SCHEMA`, and
    the number of all rows.

    problems: reason -> condition in SQL; of a row with several, the first is its reason. The values
    of the rows are not kept. Raises StudyError where more than the share `most` is unusable.
    """
    cases = " ".join(f"WHEN {condition} THEN '{reason}'" for reason, condition in problems.items())
    counted = db.execute(
        f"""
        SELECT CASE {cases} END AS reason, count(*) AS rows, min(row(file, row))
        FROM {relation} GROUP BY reason
        """
    ).fetchall()
    total = sum(int(rows) for _, rows, _ in counted)
    bad = {reason: (int(rows), first) for reason, rows, first in counted if reason}
    number = sum(rows for rows, _ in bad.values())
    if number > most * total:
        reasons = "; ".join(
            f"{rows:,} {reason} (the first: {file}, row {row})"
            for reason, (rows, (file, row)) in bad.items()
        )
        raise StudyError(
            f"{number:,} of {total:,} rows cannot be used: {reasons}. That is more than "
            f"max_corrupt: {most:g} of them; mend the files, or raise it"
        )
    if not bad:
        return SCHEMA.empty_table(), total
    found = db.execute(
        f"""
        SELECT file, row::BIGINT AS row, reason
        FROM (SELECT file, row, CASE {cases} END AS reason FROM {relation})
        WHERE reason IS NOT NULL ORDER BY file, row
        """
    ).to_arrow_table()
    return found.cast(SCHEMA), total
