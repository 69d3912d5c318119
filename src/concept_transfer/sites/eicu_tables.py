"""Tables of the eICU Collaborative Research Database, as files read through DuckDB."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.sites.eicu_site import TABLES, Recorded, table_file

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

STAY = "patientunitstayid"
PATIENT = (
    STAY,
    "patienthealthsystemstayid",
    "uniquepid",
    "gender",
    "age",
    "hospitalid",
    "hospitaladmitoffset",
    "hospitaldischargeyear",
    "hospitaldischargestatus",
    "unitdischargeoffset",
)
HOSPITAL = ("hospitalid", "region")
_COLUMNS = {"patient": PATIENT, "hospital": HOSPITAL} | {
    table.file: (STAY, table.minutes, table.code) for table in TABLES.values()
}


@dataclass(frozen=True)
class Records:
    """Distinct pairs of stay and code: `stay` int64 [m], its place among the stays asked for;
    `code` int32 [m], its place in `codes`, which begin with the table's name, each step of the
    path after a "|"."""

    stay: NDArray[np.int64]
    code: NDArray[np.int32]
    codes: list[str]

    def stays_of_codes(self) -> dict[str, NDArray[np.int64]]:
        """Code -> the stays that record it, ascending."""
        order = np.lexsort((self.stay, self.code))
        found, starts = np.unique(self.code[order], return_index=True)
        stays = np.split(self.stay[order], starts[1:])
        return {self.codes[code]: rows for code, rows in zip(found, stays, strict=False)}


def check_file(folder: Path, name: str) -> None:
    """Raise StudyError if a table lacks in the folder, or columns in its header."""
    path = table_file(folder, name)
    if not path.is_file():
        raise StudyError(
            f"{path} does not exist; eICU's tables lie in one folder, as PhysioNet has them "
            f"({name}.csv.gz, or unpacked {name}.csv)"
        )
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            columns = next(csv.reader(lines), [])
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise StudyError(
            f"{path} cannot be read ({type(error).__name__}); fetch it again from PhysioNet"
        ) from None
    missing = [column for column in _COLUMNS[name] if column not in columns]
    if missing:
        raise StudyError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has "
            f"{', '.join(columns[:12])}. The adapter reads version 2.0 of the database"
        )


def read_frame(folder: Path, name: str) -> pd.DataFrame:
    """The columns of the table of patients or hospitals that the adapter uses, as text."""
    import pandas as pd

    path = table_file(folder, name)
    columns = list(_COLUMNS[name])
    try:
        return pd.read_csv(path, usecols=columns, dtype=str, keep_default_na=False)[columns]
    except (OSError, EOFError, ValueError) as error:
        raise StudyError(
            f"{path} cannot be read ({type(error).__name__}); fetch it again from PhysioNet"
        ) from None


def read_records(
    folder: Path, name: str, stays: Iterable[str], before: float | None = None
) -> Records:
    """What the table `name` (a key of TABLES) records of stays in less than `before` minutes
    after unit admission (at any time without).

    Read as a stream; no row becomes an object of Python. Raises StudyError naming the file and
    the row of minutes that are no number.
    """
    import duckdb

    asked = pa.table({"stay": pa.array(stays, pa.string())})
    asked = asked.append_column("place", pa.array(np.arange(len(asked))))
    limit = "true" if before is None else f"minutes < {before!r}"
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("asked", asked)
        found = query_rows(
            connection,
            folder,
            name,
            f"""
            SELECT place, code, min(number) FILTER (minutes IS NULL) AS wrong
            FROM rows JOIN asked USING (stay)
            WHERE minutes IS NULL OR {limit}
            GROUP BY place, code
            """,
        )
    code = found.column("code").combine_chunks().dictionary_encode()
    stay = np.asarray(found.column("place").to_numpy(), np.int64)
    return Records(stay, code.indices.to_numpy(), code.dictionary.to_pylist())


def query_rows(connection: DuckDBPyConnection, folder: Path, name: str, query: str) -> pa.Table:
    """What a query makes of ``rows`` (number, stay, minutes, code), those of the table `name`; its
    column ``wrong`` is the number of a row whose minutes are no number.

    Raises StudyError naming the file and such a row, or a line that is no row.
    """
    import duckdb

    table = TABLES[name]
    path = table_file(folder, table.file)
    rows = f"""
        SELECT row_number() OVER () AS number, {STAY} AS stay,
            try_cast({table.minutes} AS DOUBLE) AS minutes, {_code(name, table)} AS code
        FROM read_csv(?, header = true, all_varchar = true, delim = ',', quote = '"',
            escape = '"')
        """
    try:
        found = connection.execute(f"WITH rows AS ({rows}) {query}", [str(path)]).to_arrow_table()
    except duckdb.Error as error:
        line = re.search(r"Line: (\d+)", str(error))
        where = f", line {line[1]}" if line else ""
        raise StudyError(
            f"{path}{where}: no comma-separated table ({type(error).__name__}); fetch it "
            "again from PhysioNet"
        ) from None
    wrong = found.column("wrong").drop_null().to_pylist()
    if wrong:
        raise StudyError(
            f"{path}, row {min(wrong)}, column '{table.minutes}': the value is no number of "
            "minutes since unit admission"
        )
    return found


def _code(name: str, table: Recorded) -> str:
    """SQL of a record's code: the table's name and the steps of the path."""
    text = f"regexp_replace(trim(coalesce({table.code}, '')), '\\s+', ' ', 'g')"
    if table.prefix:
        text = f"replace({text}, '{table.prefix}', '')"
    text = f"replace({text}, '{table.separator}', '|')" if table.separator else f"upper({text})"
    return f"'{name}|' || coalesce(nullif({text}, ''), 'no name')"
