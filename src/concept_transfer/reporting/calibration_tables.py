"""Tables on usefulness, on calibration before and after recalibration, and on subgroups."""

from __future__ import annotations

import pandas as pd

from concept_transfer.evaluation.contrasts import parent_of
from concept_transfer.reporting.cells import arrange, row_label
from concept_transfer.reporting.formats import Table, intervals, number
from concept_transfer.reporting.suppression import suppress_groups
from concept_transfer.study import Study

KEYS = ["target", "source", "embedding", "classifier", "strategy", "size"]
PARTS = {
    "brier": "Brier",
    "brier_miscalibration": "Miscalibration",
    "brier_discrimination": "Discrimination",
    "brier_uncertainty": "Uncertainty",
    "log_loss": "Log loss",
    "calibration_intercept": "Intercept",
    "calibration_slope": "Slope",
    "recalibrated_brier": "Brier after recalibration",
    "recalibrated_calibration_intercept": "Intercept after",
    "recalibrated_calibration_slope": "Slope after",
}
USEFUL = {
    "sensitivity_at_90": "Sensitivity at 90 % specificity",
    "sensitivity_at_95": "Sensitivity at 95 % specificity",
    "ppv_at_alert_rate": "PPV of alerts",
}
GROUP_METRICS = ("auroc", "brier", "observed_minus_predicted")


def calibration_table(estimates: pd.DataFrame, study: Study) -> Table | None:
    """Brier score in parts, calibration, and what recalibration on target data changes."""
    tidy = arrange(estimates[estimates["metric"].isin(PARTS)], study)
    if tidy.empty:
        return None
    wide = tidy[KEYS].drop_duplicates(ignore_index=True)
    for metric in PARTS:
        own = tidy.loc[tidy["metric"] == metric, [*KEYS, "estimate"]]
        wide = wide.merge(own.rename(columns={"estimate": metric}), on=KEYS, how="left")
    present = [metric for metric in PARTS if wide[metric].notna().any()]
    raw = wide[[*KEYS, *present]]
    shown = _names(raw) | {PARTS[metric]: raw[metric].map(number) for metric in present}
    return Table(
        "calibration",
        "calibration",
        "Calibration of all models",
        "Means over replicates. Brier = miscalibration − discrimination + uncertainty (isotonic "
        "decomposition). A calibrated model has intercept 0 and slope 1. After: once intercept "
        "and slope were fitted on the target's validation labels (all of them for direct, else "
        "those of the size); empty where these hold fewer than 10 of either class.",
        raw,
        pd.DataFrame(shown),
    )


def usefulness_table(estimates: pd.DataFrame, study: Study) -> Table | None:
    """Sensitivity at fixed specificity and PPV at the alert rate, with intervals."""
    tidy = arrange(estimates[estimates["metric"].isin(USEFUL)], study)
    if tidy.empty:
        return None
    wide = tidy[KEYS].drop_duplicates(ignore_index=True)
    shown = _names(wide)
    level = f"[{100 * study.evaluation.confidence:g}% CI]"
    for metric, words in USEFUL.items():
        columns = [metric, f"{metric}_lower", f"{metric}_upper"]
        own = tidy.loc[tidy["metric"] == metric, [*KEYS, "estimate", "lower", "upper"]]
        names = dict(zip(("estimate", "lower", "upper"), columns, strict=True))
        wide = wide.merge(own.rename(columns=names), on=KEYS, how="left")
        shown[f"{words} {level}"] = intervals(wide, columns)
    return Table(
        "usefulness",
        "intervals",
        "What the models would find",
        "Sensitivity where 90 or 95 % of those without the outcome raise no alert, and the share "
        f"of alerts that are right (PPV) when the {study.evaluation.alert_rate:.0%} of encounters "
        "with the highest risks raise one.",
        wide,
        pd.DataFrame(shown),
    )


def subgroup_table(subgroups: pd.DataFrame, study: Study) -> Table | None:
    """Performance by group, without the shuffled and random controls."""
    keep = [parent_of(study, name) is None for name in subgroups["embedding"]]
    tidy = subgroups[keep]
    if tidy.empty:
        return None
    keys = [*KEYS, "variable", "group"]
    tidy = arrange(tidy.rename(columns={"group": "of"}), study).drop(columns="group")
    tidy = tidy.rename(columns={"of": "group"})
    wide = tidy[[*keys, "encounters", "positives", "flag"]].drop_duplicates(ignore_index=True)
    for metric in GROUP_METRICS:
        names = {"estimate": metric, "lower": f"{metric}_lower", "upper": f"{metric}_upper"}
        own = tidy.loc[tidy["metric"] == metric, [*keys, *names]].rename(columns=names)
        wide = wide.merge(own, on=keys, how="left")
    bounds = {metric: [metric, f"{metric}_lower", f"{metric}_upper"] for metric in GROUP_METRICS}
    raw = suppress_groups(
        wide,
        [*KEYS, "variable"],
        study.evaluation.small_cells,
        tuple(name for names in bounds.values() for name in names),
    )
    interval = f"[{100 * study.evaluation.confidence:g}% CI]"
    shown = {
        **_names(raw),
        "Group": raw["variable"] + ": " + raw["group"],
        f"AUROC {interval}": intervals(raw, bounds["auroc"]),
        f"Brier {interval}": intervals(raw, bounds["brier"]),
        f"Observed − predicted {interval}": intervals(raw, bounds["observed_minus_predicted"]),
        "Encounters": raw["encounters"].map(number),
        "Positives": raw["positives"].map(number),
        "Note": raw["flag"],
    }
    return Table(
        "subgroups",
        "subgroups",
        "Performance by group",
        "Test encounters by age, sex and calendar year, as far as the data record them; shuffled "
        "and random controls are left out. Observed − predicted is the share with the outcome "
        "minus the mean predicted risk: above 0, risks are too low for the group. Groups were not "
        "compared with each other, and many rows are shown: single differences may be chance.",
        raw,
        pd.DataFrame(shown),
    )


def _names(raw: pd.DataFrame) -> dict[str, pd.Series | list[str]]:
    """The columns that say which model a row is about."""
    return {
        "Target": raw["target"],
        "Source": raw["source"].replace("", "–"),
        "Model": [row_label(*names) for names in raw[["embedding", "classifier"]].to_numpy()],
        "Strategy": raw["strategy"],
        "Labels": raw["size"],
    }
