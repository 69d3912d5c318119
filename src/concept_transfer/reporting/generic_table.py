"""Any tidy frame as a table of the report."""

from __future__ import annotations

import re

import pandas as pd

from concept_transfer.reporting.cells import CLASSIFIER_LABELS
from concept_transfer.reporting.formats import Table, intervals, number, p_value
from concept_transfer.reporting.suppression import suppress
from concept_transfer.study import Study

BOUNDS = ("lower", "upper")
UNSEEN = ("standard_error", "freedom", "reach", "test", "lower_holm", "upper_holm")
HEADINGS = {
    "p": "p",
    "p_holm": "p (Holm)",
    "p_max_t": "p (max-T)",
    "p_alone": "p (alone)",
    "p_equivalence": "p (equivalence)",
    "a": "A",
    "b": "B",
    "difference": "A − B, AUROC",
    "verdict": "A is",
    "size": "Labels",
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
    shown: dict[str, list[str]] = {}
    for index, name in enumerate(names):
        following = tuple(names[index + 1 : index + 3])
        words = HEADINGS.get(name) or name.replace("_", " ").capitalize()
        words = re.sub("auroc", "AUROC", words, flags=re.IGNORECASE)
        if following in (BOUNDS, (f"{name}_lower", f"{name}_upper")):
            shown[f"{words} [{level}]"] = intervals(readable, (name, *following))
        elif name.rpartition("_")[2] not in BOUNDS:
            convert = p_value if words.startswith("p") else _text
            shown[words] = [convert(value) for value in readable[name]]
    return Table(stem, section, title, caption, raw, pd.DataFrame(shown))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return CLASSIFIER_LABELS.get(value, value) if isinstance(value, str) else number(value)
