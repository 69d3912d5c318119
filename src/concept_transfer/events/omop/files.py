"""Tables in folders: a Parquet or CSV file each, or a folder of parts."""

from __future__ import annotations

import gzip
from pathlib import Path

from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.events.omop.tables import Table, described, quoted

SUFFIXES = (".parquet", ".csv", ".csv.gz")


def table_files(folder: Path) -> dict[str, list[Path]]:
    """Table (in lower case) -> its files: one, or the parts in a folder of its name."""
    found: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        parts = sorted(entry.iterdir()) if entry.is_dir() else [entry]
        files = [part for part in parts if part.name.lower().endswith(SUFFIXES)]
        if files:
            found.setdefault(entry.name.split(".")[0].lower(), []).extend(files)
    return found


def folder_tables(db: DuckDBPyConnection, folder: Path, names: frozenset[str]) -> dict[str, Table]:
    """The tables of these names in a folder. Raises StudyError where one is there twice."""
    return {
        name: _table(db, name, files, folder)
        for name, files in table_files(folder).items()
        if name in names
    }


def _table(db: DuckDBPyConnection, name: str, files: list[Path], folder: Path) -> Table:
    kinds = {file.name.lower().rpartition(".")[2] for file in files}
    places = {file.parent for file in files}
    if len(kinds) > 1 or len(places) > 1 or (places == {folder} and len(files) > 1):
        raise StudyError(
            f"{folder} has the table {name} more than once: "
            f"{', '.join(str(file.relative_to(folder)) for file in files)}; keep one of them"
        )
    listed = f"[{', '.join(quoted(str(file)) for file in files)}]"
    place = str(files[0] if len(files) == 1 else files[0].parent)
    file = f"substr(filename, {len(str(folder)) + 2})"
    if kinds == {"parquet"}:
        options = "filename = true, file_row_number = true, union_by_name = true"
        relation = f"read_parquet({listed}, {options})"
        columns = described(db, relation, place)
        return Table(name, place, relation, columns, file, "file_row_number + 1", False)
    options = f"header = true, all_varchar = true, filename = true, {_dialect(files[0])}"
    options += (
        f", store_rejects = true, rejects_table = 'rejects_{name}', rejects_scan = 'scans_{name}'"
    )
    counted = "SELECT *, row_number() OVER () AS csv_row FROM read_csv"
    scans = [f"{counted}({quoted(str(path))}, {options})" for path in files]
    relation = f"({' UNION ALL BY NAME '.join(scans)})"
    columns = described(db, relation, place)
    malformed = (
        f"SELECT DISTINCT {file.replace('filename', 'file_path')} AS file, line::BIGINT - 1 AS row "
        f"FROM rejects_{name} JOIN scans_{name} USING (scan_id, file_id)"
    )
    return Table(name, place, relation, columns, file, "csv_row", True, malformed)


def _dialect(file: Path) -> str:
    """Tables that OHDSI's Athena writes have tabs and no quotes; others are as usual."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rb") as lines:
            tabs = b"\t" in lines.readline()
    except (OSError, EOFError) as error:
        raise StudyError(f"{file} cannot be read ({error}); write it anew") from None
    return "delim = '\t', quote = ''" if tabs else "delim = ',', quote = '\"', escape = '\"'"
