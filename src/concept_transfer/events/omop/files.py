"""Tables in folders: a Parquet or CSV file each, or a folder of parts."""

from __future__ import annotations

from pathlib import Path

from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError
from concept_transfer.events.database import listed, quoted
from concept_transfer.events.omop.tables import Table, described
from concept_transfer.events.omop.text_files import TextFile, text_file

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
    paths = listed(files)
    place = str(files[0] if len(files) == 1 else files[0].parent)
    file = f"substr(filename, {len(str(folder)) + 2})"
    if kinds == {"parquet"}:
        given = f"{paths}, union_by_name = true"
        columns = described(db, f"read_parquet({given})", place)
        relation = f"read_parquet({given}, filename = true, file_row_number = true)"
        return Table(name, place, relation, columns, file, "file_row_number + 1", False)
    texts = {str(path.relative_to(folder)): text_file(path) for path in files}
    relation = f"({' UNION ALL BY NAME '.join(_scan(name, text) for text in texts.values())})"
    columns = {column.lower(): "VARCHAR" for text in texts.values() for column in text.columns}
    malformed = (
        f"SELECT DISTINCT {file.replace('filename', 'file_path')} AS file, line::BIGINT - 1 AS row "
        f"FROM rejects_{name} JOIN scans_{name} USING (scan_id, file_id)"
    )
    return Table(name, place, relation, columns, file, "csv_row", True, malformed, texts)


def _scan(name: str, text: TextFile) -> str:
    """A query of a file's rows, numbered from 1; lines that are none go to a table of their own.
    Nothing of the file is guessed: DuckDB's guesses end at the first quotation mark out of place.
    """
    columns = ", ".join(f"{quoted(column)}: 'VARCHAR'" for column in text.columns)
    dialect = "'\t', quote = ''" if text.tabs else "',', quote = '\"', escape = '\"'"
    return (
        f"SELECT *, row_number() OVER () AS csv_row FROM read_csv({quoted(text.path)}, "
        f"header = true, auto_detect = false, columns = {{{columns}}}, delim = {dialect}, "
        f"filename = true, store_rejects = true, rejects_table = 'rejects_{name}', "
        f"rejects_scan = 'scans_{name}')"
    )
