"""One table in three text formats, and the numbers in its cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import pandas as pd

from concept_transfer.reporting.suppression import COMPLEMENT

NOT_ESTIMABLE = "not estimable"
LONG = 35  # rows
WIDEST = 40  # characters that LaTeX sets on one line
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "[": r"{[}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "→": r"$\rightarrow$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "–": "--",
    "\u00a0": "~",
    "\n": " ",
    "\r": " ",
}
MARKDOWN = {
    **{character: f"\\{character}" for character in "\\|_*`$~"},
    "&": "&amp;",
    "<": "&lt;",
    "\n": " ",
    "\r": " ",
}
FORMULA = ("=", "+", "-", "@", "\t", "\n")  # what a spreadsheet reads as one begins so


@dataclass(frozen=True)
class Table:
    """One table: file stem, title, caption, unrounded numbers, and the text that readers see.

    ``section`` is the part of the report that shows it.
    """

    stem: str
    section: str
    title: str
    caption: str
    raw: pd.DataFrame
    shown: pd.DataFrame

    def rows(self) -> list[list[str]]:
        """The text of all rows, without the header."""
        return [[str(cell) for cell in row] for row in self.shown.itertuples(index=False)]


def write_table(table: Table, folder: Path) -> list[Path]:
    """Write ``<stem>.csv`` (unrounded), ``.md`` and ``.tex`` (booktabs); returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{table.stem}{suffix}" for suffix in (".csv", ".md", ".tex")]
    paths[0].write_text(csv(table), encoding="utf-8")
    paths[1].write_text(markdown(table), encoding="utf-8")
    paths[2].write_text(latex(table), encoding="utf-8")
    return paths


def csv(table: Table) -> str:
    """The unrounded numbers as comma-separated text."""
    return csv_text(table.raw)


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as comma-separated text that a spreadsheet computes nothing of.

    Text that begins like a formula gets an apostrophe before it; numbers stay numbers, and a
    carriage return, which ends a row in some readers, becomes a line feed.
    """
    safe = frame.rename(columns=_not_computed)
    for name in safe.select_dtypes(exclude="number"):
        safe[name] = safe[name].astype(object).map(_not_computed)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _not_computed(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.replace("\r", "\n")
    return f"'{text}" if text.startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip() == text


def markdown(table: Table) -> str:
    """A Markdown table under its title, its caption below."""
    rows = [list(table.shown.columns), *table.rows()]
    lines = ["| " + " | ".join(map(markdown_text, row)) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * table.shown.shape[1])
    title, caption = map(markdown_text, (table.title, table.caption))
    return f"## {title}\n\n" + "\n".join(lines) + f"\n\n{caption}\n"


def markdown_text(text: str) -> str:
    """Running text of which Markdown interprets nothing, not even a link.

    >>> markdown_text("a_b|c [d](e)")
    'a\\\\_b\\\\|c [d]\\\\(e)'
    """
    return _escape(text, MARKDOWN).replace("](", "]\\(")


def latex(table: Table) -> str:
    """A LaTeX table with booktabs rules; beyond one page's rows a ``longtable``.

    Needs the packages booktabs and, for long tables, longtable.
    """
    head = [_latex_row(list(table.shown.columns)), r"\midrule"]
    body = [_latex_row(row) for row in table.rows()]
    caption = rf"\caption{{{_escape(table.caption, LATEX)}}}\label{{tab:{table.stem}}}"
    longest = [max(map(len, texts), default=0) for texts in zip(*table.rows(), strict=True)]
    columns = "".join("p{4cm}" if length > WIDEST else "l" for length in longest)
    if len(body) > LONG:
        lines = [
            rf"\begin{{longtable}}{{{columns}}}",
            caption + r" \\",
            r"\toprule",
            *head,
            r"\endhead",
            *body,
            r"\bottomrule",
            r"\end{longtable}",
        ]
    else:
        lines = [
            r"\begin{table}",
            r"\centering\small",
            caption,
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *head,
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join(lines) + "\n"


def number(value: object, digits: int = 3) -> str:
    """A number as readers see it; text passes, missing becomes an empty string.

    >>> number(-0.01234), number("<11"), number(float("nan")), number(1200)
    ('−0.012', '<11', '', '1,200')
    """
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, Integral):
        return f"{int(value):,}".replace("-", "−")
    text = f"{float(value):.{digits}f}"  # type: ignore[arg-type]
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")


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
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def bind_percent(text: str) -> str:
    """The text with every percent sign held to its number."""
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def intervals(
    frame: pd.DataFrame, columns: Sequence[str], suppressed: Iterable[bool] | None = None
) -> list[str]:
    """Text of ``columns`` (estimate, lower, upper), one entry a row; says which are suppressed."""
    texts = [interval(*bounds) for bounds in zip(*(frame[c] for c in columns), strict=True)]
    if suppressed is None:
        return texts
    return [COMPLEMENT if own else text for own, text in zip(suppressed, texts, strict=True)]


def _latex_row(cells: list[str]) -> str:
    return " & ".join(_escape(cell, LATEX) for cell in cells) + r" \\"


def _escape(text: str, replacements: Mapping[str, str]) -> str:
    return "".join(replacements.get(character, character) for character in text)
