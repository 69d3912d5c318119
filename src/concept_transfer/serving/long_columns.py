"""Which columns of a long table say what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from concept_transfer.errors import StudyError, choices
from concept_transfer.serving.coding import Coder, some
from concept_transfer.sites.table_settings import LongTable

CODES = ("concept", "code")
STATE, VALUE = "state", "value"


@dataclass(frozen=True)
class LongColumns:
    """Names of columns.

    code: of the concept or code; states, numbers: whose cells tell the state of a concept without
    and with bins, the first that is not empty counts; with no such column a row says present.
    """

    code: str
    states: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def cells(self) -> list[str]:
        """Those of states and numbers, each once."""
        return list(dict.fromkeys([*self.states, *self.numbers]))


def code_column(columns: Sequence[str], coder: Coder) -> str | None:
    """The column of codes, None in a table that has none: by the site's `long`, or its name."""
    names = [coder.site.long.concept] if coder.site.long else CODES
    return next((name for name in names if name in columns), None)


def long_columns(path: Path, columns: Sequence[str], coder: Coder) -> LongColumns:
    """Those that the site's `long` names, or else the usual names; reads no row.

    Raises StudyError where one is missing.
    """
    code = code_column(columns, coder)
    if code is None:
        names = [coder.site.long.concept] if coder.site.long else CODES
        raise StudyError(
            f"{path}: a long table has a column {choices(names)}; it has {some(columns)}"
        )
    if coder.site.long:
        return _declared(path, columns, code, coder.site.long)
    cells = tuple(name for name in (STATE, VALUE) if name in columns)
    return LongColumns(code, cells, cells[::-1])


def _declared(path: Path, columns: Sequence[str], code: str, long: LongTable) -> LongColumns:
    states = (long.state,) if long.state else ()
    names = LongColumns(code, states, (long.value,) if long.value else states)
    if absent := [name for name in names.cells if name not in columns]:
        raise StudyError(
            f"{path} has no column {choices(absent)}, which 'long' of the site names; it has "
            f"{some(columns)}"
        )
    return names


def unread(
    path: Path, columns: Sequence[str], encounter: str, names: LongColumns, coder: Coder
) -> list[str]:
    """Columns that nothing is read of, besides those that the site knows to hold no finding.

    Raises StudyError where one of them may hold the states, as no other does and no `long` of a
    site says that there are none.
    """
    read = {encounter, names.code, *names.cells, *coder.beside}
    others = [name for name in columns if name not in read]
    if others and not names.cells and coder.site.long is None:
        raise StudyError(
            f"{path} has no column '{STATE}' or '{VALUE}', but {some(others)}: say which column "
            "holds the state (--config and --site, with 'long'), or drop it; a table of encounters "
            "and codes alone says what is present"
        )
    return others
