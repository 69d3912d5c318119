"""Tables on usefulness, on calibration before and after recalibration, and on subgroups."""

from __future__ import annotations

import pandas as pd

from concept_transfer.evaluation.metrics import METRICS
from concept_transfer.evaluation.schemas import CLASS
from concept_transfer.evaluation.subgroups import DIFFERENCE
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
from concept_transfer.reporting.suppression import COMPLEMENT, suppress_groups
from concept_transfer.study import Study


def _headings(*about: str) -> dict[str, str]:
    """Name -> column heading of the metrics about something."""
    named = [metric for metric in METRICS.values() if metric.about in about]
    return {metric.name: metric.heading or metric.title for metric in named}


PARTS = {
    "brier": METRICS["brier"].title,
    "brier_miscalibration": "Miscalibration",
    "brier_discrimination": "Discrimination",
    "brier_uncertainty": "Uncertainty",
    **_headings("probabilities", "calibration"),
    "recalibrated_brier": "Brier after recalibration",
    "recalibrated_calibration_intercept": "Intercept after",
    "recalibrated_calibration_slope": "Slope after",
}
USEFUL = _headings("usefulness")
VALIDATED = {
    "sensitivity_at_validated_90": "Sensitivity, threshold from validation",
    "specificity_at_validated_90": "Specificity there",
}
OBSERVED = (
    "Observed − predicted is the share with the outcome minus the mean predicted risk: above 0, "
    "risks are too low for the group. "
)
GROUP_METRICS = ("auroc", "brier", DIFFERENCE)


def calibration_table(estimates: pd.DataFrame, study: Study) -> Table | None:
    """Brier score in parts, calibration, and what recalibration on target data changes."""
    tidy = arrange(estimates[estimates["metric"].isin(PARTS)], study)
    if tidy.empty:
        return None
    wide = widened(tidy, KEYS, PARTS)
    present = [metric for metric in PARTS if wide[metric].notna().any()]
    raw = wide[[*KEYS, *present]]
    columns = [Column(PARTS[metric], "number", raw[metric]) for metric in present]
    return Table(
        stem="calibration",
        section="calibration",
        title="Calibration of all models",
        caption="Means over replicates. Brier = miscalibration − discrimination + uncertainty "
        "(isotonic decomposition). A calibrated model has intercept 0 and slope 1. After: once "
        "intercept and slope were fitted on the target's validation labels (all of them for models "
        "without labels, else those of the size); empty where these hold fewer than 10 of either "
        "class.",
        raw=raw,
        columns=[*cell_columns(raw, study), *columns],
    )


def usefulness_table(estimates: pd.DataFrame, study: Study) -> Table | None:
    """Sensitivity at fixed specificity and PPV at the alert rate, with intervals.

    ``estimates``: of two classes or, with a column ``class``, of each of more.
    """
    tidy = arrange(estimates[estimates["metric"].isin([*USEFUL, *VALIDATED])], study)
    if tidy.empty:
        return None
    keys = [*KEYS, *(name for name in [CLASS] if name in tidy)]
    wide = widened(tidy, keys, [*USEFUL, *VALIDATED])
    level = f"[{100 * study.evaluation.confidence:g}% CI]"
    estimates_of = {
        metric: intervals(wide, bounds_of(metric), suppressed_in(tidy, wide, keys, metric))
        for metric in USEFUL
    }
    columns = [
        *cell_columns(wide, study),
        *(Column("Class", "name", wide[name]) for name in [CLASS] if name in wide),
        *(Column(f"{USEFUL[m]} {level}", "interval", rows) for m, rows in estimates_of.items()),
        *(Column(words, "number", wide[metric]) for metric, words in VALIDATED.items()),
    ]
    return Table(
        stem="usefulness",
        section="intervals",
        title="What the models would find",
        caption="Sensitivity where 90 or 95 % of those without the outcome raise no alert, points "
        "of the test encounters' own ROC curve; beside them what the threshold gives that reaches "
        "90 % specificity on the validation labels (all of the target's for models without labels, "
        "else those of the size; empty where they hold fewer than 10 without the outcome). PPV: "
        "the share of alerts that are right when the "
        f"{study.evaluation.alert_rate:.0%} of encounters with the highest risks raise one."
        + (" Each class is the outcome of its rows, against all others." if CLASS in wide else ""),
        raw=wide,
        columns=columns,
    )


def subgroup_table(subgroups: pd.DataFrame, study: Study) -> Table | None:
    """Performance by group, without the controls.

    Of more than two classes AUROC is the macro mean, and a group's positives are the encounters of
    its rarest class.
    """
    keep = [not study.is_control(name) for name in subgroups["embedding"]]
    tidy = subgroups[keep]
    if tidy.empty:
        return None
    keys = [*KEYS, "variable", "of", "encounters", "positives", "flag"]
    tidy = arrange(tidy.rename(columns={"group": "of"}), study)
    wide = widened(tidy, keys, GROUP_METRICS).rename(columns={"of": "group"})
    raw = suppress_groups(
        wide,
        [*KEYS, "variable"],
        study.evaluation.small_cells,
        tuple(name for metric in GROUP_METRICS for name in bounds_of(metric)),
    )
    hidden = raw["positives"] == COMPLEMENT

    def estimates(metric: str, words: str) -> Column:
        named = wide.rename(columns={"group": "of"})
        taken = hidden | suppressed_in(tidy, named, keys, metric)
        return Column(f"{words} {level}", "interval", intervals(raw, bounds_of(metric), taken))

    level = f"[{100 * study.evaluation.confidence:g}% CI]"
    many = study.task.many_classes
    columns = [
        *cell_columns(raw, study),
        Column("Group", "name", raw["variable"] + ": " + raw["group"]),
        estimates("auroc", "Macro AUROC" if many else "AUROC"),
        estimates("brier", "Brier"),
        *([] if many else [estimates(DIFFERENCE, "Observed − predicted")]),
        Column("Encounters", "number", raw["encounters"]),
        Column("Of the rarest class" if many else "Positives", "number", raw["positives"]),
        Column("Note", "name", raw["flag"].mask(hidden, "")),
    ]
    return Table(
        stem="subgroups",
        section="subgroups",
        title="Performance by group",
        caption="Test encounters by age, sex and calendar year, as far as the data record them; "
        f"shuffled and random controls are left out. {'' if many else OBSERVED}Groups were not "
        "compared with each other, and many rows are shown: single differences may be chance.",
        raw=raw,
        columns=columns,
    )
