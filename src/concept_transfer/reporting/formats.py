"""One table in three text formats."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from concept_transfer.reporting.columns import Column

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
    """One table: file stem, title, caption, unrounded numbers, and the columns that readers see.

    ``section`` is the part of the report that shows it.
    """

    stem: str
    section: str
    title: str
    caption: str
    raw: pd.DataFrame
    columns: Sequence[Column]

    @property
    def shown(self) -> pd.DataFrame:
        """The text that readers see."""
        return pd.DataFrame({column.name: column.texts() for column in self.columns})


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
    shown = table.shown
    rows = [list(shown.columns), *shown.to_numpy().tolist()]
    lines = ["| " + " | ".join(map(markdown_text, row)) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(table.columns))
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
    shown = table.shown
    head = [_latex_row(list(shown.columns)), r"\midrule"]
    body = [_latex_row(row) for row in shown.to_numpy().tolist()]
    caption = rf"\caption{{{_escape(table.caption, LATEX)}}}\label{{tab:{table.stem}}}"
    longest = [max(map(len, texts), default=0) for _, texts in shown.items()]
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


def bind_percent(text: str) -> str:
    """The text with every percent sign held to its number."""
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def _latex_row(cells: list[str]) -> str:
    return " & ".join(_escape(cell, LATEX) for cell in cells) + r" \\"


def _escape(text: str, replacements: Mapping[str, str]) -> str:
    return "".join(replacements.get(character, character) for character in text)
