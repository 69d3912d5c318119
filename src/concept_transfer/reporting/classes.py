"""Results on single classes of an outcome that has more than two, apart from those on all."""

from __future__ import annotations

import re

import pandas as pd

from concept_transfer.evaluation.metrics import OF_CLASS
from concept_transfer.evaluation.schemas import CLASS
from concept_transfer.reporting.columns import Column, intervals
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.rows import (
    KEYS,
    arrange,
    bounds_of,
    cell_columns,
    suppressed_in,
    widened,
)
from concept_transfer.study import Study

MACRO = (
    " AUROC is the mean over classes, each told from all others (macro average); the table of "
    "performance by class holds its parts."
)
METRICS = {name: OF_CLASS[name].title for name in ("auroc", "auprc")}
CALIBRATION = {
    name: metric.heading for name, metric in OF_CLASS.items() if metric.about == "calibration"
}


def of_all(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows on all classes together, without the column ``class``."""
    return frame[_names(frame) == ""].drop(columns=CLASS, errors="ignore")


def of_each(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows on single classes, which the column ``class`` names."""
    return frame.assign(**{CLASS: _names(frame)})[_names(frame) != ""]


def class_names(frame: pd.DataFrame) -> list[str]:
    """The classes that a frame has rows on, in its order; none where the outcome has two."""
    return [name for name in dict.fromkeys(_names(frame)) if name]


def of_class(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows on one class ("": on all together)."""
    return frame[_names(frame) == name]


def class_words(name: str) -> str:
    """What a title adds for one class."""
    return f", {name}" if name else ""


def class_stem(name: str) -> str:
    """What the name of a file adds for one class."""
    return f"_{re.sub(r'[^A-Za-z0-9]+', '-', name)}" if name else ""


def class_table(estimates: pd.DataFrame, study: Study) -> Table | None:
    """One row a cell and class, told from all others; None where the outcome has two classes.

    ``estimates``: the rows on single classes.
    """
    if estimates.empty:
        return None
    keys = [*KEYS, CLASS]
    tidy = arrange(estimates, study)
    wide = widened(tidy, keys, [*METRICS, *CALIBRATION])
    shared = tidy.drop_duplicates(keys)[[*keys, "positives", "flag"]]
    chance = tidy.loc[tidy["metric"] == "auprc", [*keys, "no_skill"]]
    raw = wide.merge(shared, on=keys, how="left").merge(chance, on=keys, how="left")
    raw = raw.rename(columns={"no_skill": "auprc_no_skill"})
    level = f"{100 * study.evaluation.confidence:g}% CI"

    def estimates_of(metric: str, words: str) -> Column:
        suppressed = suppressed_in(tidy, raw, keys, metric)
        return Column(
            f"{words} [{level}]", "interval", intervals(raw, bounds_of(metric), suppressed)
        )

    columns = [
        *cell_columns(raw, study),
        Column("Class", "name", raw[CLASS]),
        *(estimates_of(metric, words) for metric, words in METRICS.items()),
        Column("No-skill AUPRC", "number", raw["auprc_no_skill"]),
        *(Column(words, "number", raw[metric]) for metric, words in CALIBRATION.items()),
        Column("Encounters of the class", "number", raw["positives"]),
        Column("Note", "name", raw["flag"]),
    ]
    return Table(
        stem="classes",
        section="intervals",
        title="Performance by class",
        caption="Every class told from all others, on the test encounters of each target. A model "
        "without skill has AUROC 0.5 and the AUPRC of the column beside it; a calibrated model has "
        "intercept 0 and slope 1.",
        raw=raw,
        columns=columns,
    )


def _names(frame: pd.DataFrame) -> pd.Series:
    """The class of every row."""
    if CLASS not in frame:
        return pd.Series("", index=frame.index, dtype=object)
    return frame[CLASS].astype(object).where(frame[CLASS].notna(), "")
