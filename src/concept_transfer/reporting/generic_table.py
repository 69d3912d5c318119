"""Any tidy frame as a table of the report."""

from __future__ import annotations

import re
from numbers import Number
from typing import Any

import pandas as pd

from concept_transfer.reporting.columns import Column, intervals
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.looks import learner_title
from concept_transfer.reporting.suppression import suppress
from concept_transfer.study import Study

BOUNDS = ("lower", "upper")
UNSEEN = ("standard_error", "freedom", "reach", "test", "lower_holm", "upper_holm")
HEADINGS = {  # of a frame's column: words and kind
    "p": ("p", "p"),
    "p_holm": ("p (Holm)", "p"),
    "p_max_t": ("p (max-T)", "p"),
    "p_alone": ("p (alone)", "p"),
    "p_equivalence": ("p (equivalence)", "p"),
    "a": ("A", "name"),
    "b": ("B", "name"),
    "difference": ("A − B, AUROC", "number"),
    "verdict": ("A is", "verdict"),
    "size": ("Labels", "labels"),
}


def generic_table(
    stem: str, section: str, title: str, caption: str, frame: pd.DataFrame, study: Study
) -> Table:
    """Any tidy frame as a table.

    Columns without any value are left out. A number followed by the columns ``lower`` and
    ``upper`` (or ``<name>_lower``, ``<name>_upper``) is shown with its interval, with that of
    Holm's method where there is one; small ``positives`` are suppressed.
    """
    raw = frame.reset_index(drop=True)
    if "positives" in raw and "encounters" in raw:
        revealing = tuple(name for name in raw.columns if "prevalence" in name)
        threshold = study.evaluation.small_cells
        raw = suppress(raw, "positives", threshold, of="encounters", revealing=revealing)
    readable = raw[[name for name in raw.columns if frame[name].notna().any()]]
    if "lower_holm" in readable:
        judged = {name: readable[f"{name}_holm"].fillna(readable[name]) for name in BOUNDS}
        readable = readable.assign(**judged)
    if "p_holm" in readable:
        readable = readable.drop(columns="p")
    readable = readable.drop(columns=[name for name in UNSEEN if name in readable])
    names = list(readable.columns)
    level = f"{100 * study.evaluation.confidence:g}% CI"
    columns = []
    for index, name in enumerate(names):
        following = tuple(names[index + 1 : index + 3])
        if following in (BOUNDS, (f"{name}_lower", f"{name}_upper")):
            values = intervals(readable, (name, *following))
            words, _ = _heading(name, readable[name])
            columns.append(Column(f"{words} [{level}]", "interval", values))
        elif name.rpartition("_")[2] not in BOUNDS:
            words, kind = _heading(name, readable[name])
            values = [_in_words(value, study) for value in readable[name]]
            columns.append(Column(words, kind, values))
    return Table(stem, section, title, caption, raw, columns)


def _heading(name: str, values: pd.Series) -> tuple[str, str]:
    """Words and kind of a column, from its name, else from its values."""
    if name in HEADINGS:
        return HEADINGS[name]
    words = re.sub("auroc", "AUROC", name.replace("_", " ").capitalize(), flags=re.IGNORECASE)
    if name.endswith("_verdict"):
        return words, "verdict"
    numeric = any(isinstance(v, Number) and not isinstance(v, bool) for v in values.dropna())
    return words, "number" if numeric else "name"


def _in_words(value: Any, study: Study) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return learner_title(study, value) if isinstance(value, str) else value
