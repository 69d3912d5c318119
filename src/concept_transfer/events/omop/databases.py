"""Tables in a DuckDB file or a PostgreSQL database, of which the password is never shown."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import duckdb
from duckdb import DuckDBPyConnection

from concept_transfer.errors import StudyError, choices
from concept_transfer.events.database import quoted
from concept_transfer.events.omop.model import DOMAINS, VISIT
from concept_transfer.events.omop.tables import Table, described

PASSWORD = "PGPASSWORD"
PACKAGE = "duckdb_extension_postgres_scanner"
KEYS = {domain.table: domain.key for domain in (VISIT, *DOMAINS.values())}
KEYS |= {"person": "person_id", "death": "person_id"}
KEYS["observation_period"] = "observation_period_id"


def attach_file(db: DuckDBPyConnection, path: Path) -> None:
    """Attach a DuckDB file as ``cdm``, to be read alone."""
    try:
        db.execute(f"ATTACH {quoted(path)} AS cdm (READ_ONLY)")
    except duckdb.Error as error:
        raise StudyError(
            f"{path} cannot be opened as a DuckDB database ({_first_line(error)}); close the "
            "program that has it open for writing, or give a folder of Parquet or CSV files"
        ) from None


@contextlib.contextmanager
def attached_postgresql(db: DuckDBPyConnection, url: str, name: str) -> Iterator[None]:
    """Attach a PostgreSQL database as ``cdm``, to be read alone; `name` stands for it in errors.

    DuckDB tells the URL in its errors, so a password in it goes to libpq by its own variable.
    """
    db.execute(f"LOAD {quoted(extension_file())}")
    address, password = without_password(url)
    before = os.environ.get(PASSWORD)
    if password is not None:
        os.environ[PASSWORD] = password
    try:
        try:
            db.execute(f"ATTACH {quoted(address)} AS cdm (TYPE postgres, READ_ONLY)")
        except duckdb.Error as error:
            told = _first_line(error).partition('": ')[2] or "it does not say why"
            raise StudyError(
                f"{name} cannot be connected to ({told}); see that it runs, and that host, "
                "database, user and password are right (the password stands in ~/.pgpass or in "
                "the URL of an environment variable)"
            ) from None
        yield
    finally:
        if before is None:
            os.environ.pop(PASSWORD, None)
        else:
            os.environ[PASSWORD] = before


def without_password(url: str) -> tuple[str, str | None]:
    """A URL without its password, and the password.

    >>> without_password("postgresql://reader:secret@host/cdm?connect_timeout=9")
    ('postgresql://reader@host/cdm?connect_timeout=9', 'secret')
    """
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    password = next((value for key, value in pairs if key == "password"), None)
    query = urlencode([(key, value) for key, value in pairs if key != "password"])
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, given = login.partition(":")
    password = unquote(given) if given else password
    host = f"{user}@{hosts}" if login else hosts
    return f"{parts.scheme}://{host}{parts.path}{'?' * bool(query)}{query}", password


def url_of(variable: str) -> str:
    """The URL that an environment variable holds (StudyError)."""
    url = os.environ.get(variable, "")
    if not re.match("postgres(ql)?://", url):
        raise StudyError(
            f"the environment variable {variable} {'holds no URL' if url else 'is not set'}; it "
            f"holds that of the database: export {variable}=postgresql://user@host/database"
        )
    return url


def attached_tables(
    db: DuckDBPyConnection, schema: str, names: frozenset[str], place: str, copied: bool
) -> dict[str, Table]:
    """The tables and views of these names in a schema of ``cdm``. Raises StudyError naming the
    schemas that there are."""
    rows = db.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'cdm'"
    ).fetchall()
    schemas = {str(of) for of, _ in rows}
    if schema not in schemas:
        raise StudyError(
            f"{place} has no schema '{schema}' with tables; those with tables are "
            f"{choices(schemas) or 'none'} (cdm_schema, vocabulary_schema)"
        )
    found = {}
    for of, written in rows:
        name = str(written).lower()
        if of != schema or name not in names:
            continue
        relation = f'cdm."{schema}"."{written}"'
        columns = described(db, relation, f"{place}, table {written}")
        key = KEYS.get(name)
        row = f'TRY_CAST("{key}" AS BIGINT)' if key in columns else "NULL::BIGINT"
        table = f"table {written} of {place}"
        found[name] = Table(name, table, relation, columns, quoted(written), row, copied)
    return found


def extension_file() -> Path:
    """The file of DuckDB's extension for PostgreSQL (StudyError)."""
    found = find_spec(PACKAGE)
    folder = Path(found.origin).parent if found and found.origin else None
    file = f"extensions/v{duckdb.__version__}/postgres_scanner.duckdb_extension"
    if folder is None or not (folder / file).is_file():
        raise StudyError(
            "reading PostgreSQL needs the extension of this DuckDB for it: pip install "
            f"'{PACKAGE.replace('_', '-')}=={duckdb.__version__}'"
        )
    return folder / file


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
