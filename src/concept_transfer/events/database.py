"""A DuckDB connection that keeps to a hospital's machine: little memory, no network, clean temp."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator

import duckdb

from concept_transfer.errors import StudyError

MEMORY = "1500MB"  # beyond it DuckDB writes to its temporary folder
MOST_THREADS = 4


@contextlib.contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory; what it spills is private, and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="concept-transfer-") as folder:
        threads = min(MOST_THREADS, _processors())
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "threads": threads,
            "temp_directory": folder,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        connection = duckdb.connect(":memory:", config=config)
        try:
            connection.execute("SET enable_progress_bar = false")
            yield connection
        finally:
            connection.close()


def _processors() -> int:
    """Those that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def reading(what: str, remedy: str) -> Iterator[None]:
    """Errors of DuckDB as a StudyError about `what`. Cells do not come into it: of DuckDB's message
    only the first line is told, and of a failed conversion not even that."""
    try:
        yield
    except duckdb.ConversionException:
        raise StudyError(
            f"{what} holds a value of another type than its column; {remedy}"
        ) from None
    except duckdb.Error as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise StudyError(f"{what} cannot be read ({lines[0]}); {remedy}") from None


def quoted(text: object) -> str:
    """A text, or a path, in SQL.

    >>> quoted("O'Hara")
    "'O''Hara'"
    """
    return "'" + str(text).replace("'", "''") + "'"


def listed(texts: Iterable[object]) -> str:
    """Texts, or paths, as a list in SQL."""
    return f"[{', '.join(map(quoted, texts))}]"


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The one number that a query gives."""
    row = connection.execute(query).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
