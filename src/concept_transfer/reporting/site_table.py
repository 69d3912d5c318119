"""The table of what each site brought. Small counts of patients are suppressed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from concept_transfer.reporting.columns import Column
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.suppression import suppress
from concept_transfer.study import Study


def site_table(reports: Mapping[str, Mapping[str, Any]], study: Study) -> Table:
    """What each site brought: rows read and dropped, encounters, positives (of more than two
    classes, the encounters of each), unmapped codes."""
    classes = study.task.class_names if study.task.many_classes else ()
    outcomes = {f"with_{name}": name for name in classes} or {"positives": study.task.label}
    frame = pd.DataFrame(
        {
            "site": site,
            "rows_read": reports[site]["rows_read"],
            "dropped": sum(reports[site]["dropped"].values()),
            "encounters": reports[site]["encounters"],
            **_outcomes(reports[site], classes),
            "unmapped_codes": len(reports[site]["unmapped"]),
        }
        for site in study.sites
        if site in reports
    )
    few_of_class, few_encounters = (
        frame["site"].map(lambda site, name=name: name in reports[site].get("hidden", ()))
        for name in ("positives", "encounters")
    )
    threshold = study.evaluation.small_cells
    raw = frame
    shares = ("prevalence",) if "prevalence" in frame else ()
    for name in outcomes:
        raw = suppress(raw, name, threshold, "encounters", shares, others=few_of_class)
    few = suppress(raw, "dropped", threshold, revealing=("rows_read",))
    raw = few.where(frame["dropped"] > 0, raw)
    raw = suppress(raw, "encounters", threshold, revealing=("rows_read",), others=few_encounters)
    columns = [
        Column("Site", "name", raw["site"]),
        Column("Rows read", "number", raw["rows_read"]),
        Column("Left out", "number", raw["dropped"]),
        Column("Encounters", "number", raw["encounters"]),
        *(Column(f"With {words}", "number", raw[name]) for name, words in outcomes.items()),
        *(Column(name.capitalize(), "number", raw[name]) for name in shares),
        Column("Codes without a concept", "number", raw["unmapped_codes"]),
    ]
    return Table(
        stem="sites",
        section="data",
        title="Sites",
        caption="Encounters as read, before any split. Codes of a site that no concept of the "
        "vocabulary takes are counted here and not used.",
        raw=raw,
        columns=columns,
    )


def _outcomes(report: Mapping[str, Any], classes: tuple[str, ...]) -> dict[str, Any]:
    if classes:
        return {f"with_{name}": report["classes"][name] for name in classes}
    return {"positives": report["positives"], "prevalence": report["prevalence"]}
