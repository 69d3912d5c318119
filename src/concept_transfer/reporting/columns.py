"""A table's columns: what they hold, how readers see it, and by what they sort it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import pandas as pd

from concept_transfer.reporting.suppression import COMPLEMENT

NOT_ESTIMABLE = "not estimable"
MINUS = "−"
LEAST_P = 0.001


@dataclass(frozen=True)
class Kind:
    """What the values of a column are.

    ``show`` writes a value to a number of digits after the point; ``rank`` is the number in a value
    by which rows are sorted (None: by the text). A text that stands in a number's place, such as
    ``<11`` or ``suppressed``, is shown as it is and has no rank. ``numeric`` columns are aligned as
    numbers; of those with ``few`` different values a menu may offer each.
    """

    show: Callable[[Any, int], str]
    rank: Callable[[Any], float] | None = None
    numeric: bool = False
    few: bool = False


@dataclass(frozen=True)
class Column:
    """A named column of values, one a row, all of one kind (a key of `KINDS`).

    ``name``: a word or label, often repeated; ``text``: words in running text; ``verdict``: what a
    test said; ``labels``: a target size; ``number``; ``interval``: (estimate, lower, upper); ``p``:
    a p-value. Estimates and numbers have ``digits`` after the point, whole numbers none.

    >>> Column("AUROC", "interval", [(0.81234, 0.7, 0.9), "suppressed"]).texts()
    ['0.812 [0.700, 0.900]', 'suppressed']
    """

    name: str
    kind: str
    values: Sequence[Any] | pd.Series
    digits: int = 3

    @property
    def numeric(self) -> bool:
        return KINDS[self.kind].numeric

    @property
    def few(self) -> bool:
        return KINDS[self.kind].few

    def texts(self) -> list[str]:
        """What readers see, a text a row."""
        show = KINDS[self.kind].show
        return [v if isinstance(v, str) else show(v, self.digits) for v in self.values]

    def sort_keys(self) -> list[str | None]:
        """The number in every shown value, None where rows are sorted by the text itself.

        >>> Column("Encounters", "number", [1200, "<11"]).sort_keys()
        ['1200', None]
        """
        rank = KINDS[self.kind].rank
        return [
            None if rank is None or isinstance(v, str) else _plain(number(rank(v), self.digits))
            for v in self.values
        ]


def intervals(
    frame: pd.DataFrame,
    columns: Sequence[str],
    suppressed: Iterable[bool] | None = None,
    unknown: str = NOT_ESTIMABLE,
) -> list[tuple[float, float, float] | str]:
    """The values of an interval column from ``columns`` (estimate, lower, upper) of a frame.

    ``suppressed`` says which rows may not tell theirs; ``unknown`` stands where there is no
    estimate.
    """
    bounds = zip(*(frame[name] for name in columns), strict=True)
    known = [unknown if pd.isna(row[0]) else row for row in bounds]
    if suppressed is None:
        return known
    return [COMPLEMENT if taken else row for taken, row in zip(suppressed, known, strict=True)]


def number(value: Any, digits: int = 3) -> str:
    """A number as readers see it; text passes, missing becomes an empty string.

    >>> number(-0.01234), number("<11"), number(float("nan")), number(1200)
    ('−0.012', '<11', '', '1,200')
    """
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, Integral):
        return f"{int(value):,}".replace("-", MINUS)
    text = f"{float(value):.{digits}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", MINUS)


def interval(estimate: float, lower: float, upper: float, digits: int = 3) -> str:
    """``estimate [lower, upper]``; says so where there is no estimate."""
    if pd.isna(estimate):
        return NOT_ESTIMABLE
    if pd.isna(lower) or pd.isna(upper):
        return number(estimate, digits)
    shown = [number(float(value), digits) for value in (estimate, lower, upper)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def p_value(value: float) -> str:
    """A p-value to three decimals, ``<0.001`` below them, empty where there is none."""
    if pd.isna(value):
        return ""
    return f"<{LEAST_P}" if value < LEAST_P else f"{value:.3f}"


def _plain(text: str) -> str | None:
    """A shown number as programs read it, None where none is shown."""
    return text.replace(",", "").replace(MINUS, "-") or None


def _word(value: Any, _: int) -> str:
    return "" if value is None or pd.isna(value) else str(value)


KINDS: Mapping[str, Kind] = {
    "name": Kind(_word, few=True),
    "text": Kind(_word),
    "verdict": Kind(_word, few=True),
    "labels": Kind(_word, numeric=True),
    "number": Kind(number, rank=lambda value: value, numeric=True),
    "interval": Kind(
        lambda bounds, digits: interval(bounds[0], bounds[1], bounds[2], digits),
        rank=lambda bounds: bounds[0],
        numeric=True,
    ),
    "p": Kind(
        lambda value, _: p_value(value), rank=lambda value: max(value, LEAST_P), numeric=True
    ),
}
