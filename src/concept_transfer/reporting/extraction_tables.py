"""Tables on findings that were read from notes: how right they are, and what reading them costs."""

from __future__ import annotations

import pandas as pd

from concept_transfer.reporting.columns import Column, interval, intervals
from concept_transfer.reporting.formats import Table
from concept_transfer.reporting.rows import (
    direction_label,
    level,
    model_labels,
    records,
    size_label,
)
from concept_transfer.study import Study

PRECISION = ["precision", "precision_lower", "precision_upper"]
RECALL = ["recall", "recall_lower", "recall_upper"]
ALL = "all findings"
DIFFERENCE = ["difference", "lower", "upper"]


def shown_findings(extraction: pd.DataFrame, study: Study) -> pd.DataFrame:
    """All findings of a site together, then those that enough encounters have, the lowest recall
    first."""
    together = extraction["concept"] == ""
    least = extraction[["read", "true"]].min(axis=1)
    kept = extraction[together | (least >= study.evaluation.small_cells)]
    ordered = kept.assign(first=(kept["concept"] != "").astype(int))
    order = {name: place for place, name in enumerate(study.sites)}
    return (
        ordered.assign(place=ordered["site"].map(order))
        .sort_values(["place", "first", "recall"], kind="stable")
        .drop(columns=["first", "place"])
        .reset_index(drop=True)
    )


def accuracy_words(extraction: pd.DataFrame) -> str:
    """Recall and precision of all findings of each site."""
    overall = records(extraction[extraction["concept"] == ""])
    return "; ".join(
        f"{row['site']}: recall {interval(*(row[name] for name in RECALL))}, "
        f"precision {interval(*(row[name] for name in PRECISION))}"
        for row in overall
    )


def extraction_table(extraction: pd.DataFrame, study: Study) -> Table:
    """Precision and recall of findings that were read from notes, site by site."""
    raw = shown_findings(extraction, study).drop(columns=["encounters", "right"])
    words = raw["name"].where(raw["concept"] != "", ALL)
    columns = [
        Column("Site", "name", raw["site"]),
        Column("Finding", "name", words),
        Column("State", "name", raw["state"]),
        Column(f"Recall [{level(study)} CI]", "interval", intervals(raw, RECALL)),
        Column(f"Precision [{level(study)} CI]", "interval", intervals(raw, PRECISION)),
        Column("Encounters, true", "number", raw["true"]),
        Column("Encounters, read", "number", raw["read"]),
    ]
    return Table(
        stem="extraction",
        section="notes",
        title="Findings read from notes, against those of the same encounters",
        caption="Recall: share of the true findings (concept and state) that were read from the "
        "encounter's notes. Precision: share of those read that are true. Intervals resample "
        "clusters of encounters. Left out are concepts that stand in fields of the record, and "
        f"findings of fewer than {study.evaluation.small_cells} encounters.",
        raw=raw,
        columns=columns,
    )


def cost_table(cost: pd.DataFrame, study: Study) -> Table:
    """A row a cell: AUROC on findings read from notes, and on the findings themselves."""
    raw = cost.drop(columns=["encounters", "positives"]).reset_index(drop=True)
    hidden = raw.get("suppressed")
    columns = [
        Column("Direction", "name", _directions(raw)),
        Column("Model", "name", model_labels(raw, study)),
        Column("Strategy", "name", raw["strategy"]),
        Column("Labels", "labels", [size_label(size) for size in raw["size"]]),
        Column("AUROC, read from notes", "number", raw["estimate"]),
        Column("AUROC, true findings", "number", raw["gold_estimate"]),
        Column(f"Difference [{level(study)} CI]", "interval", intervals(raw, DIFFERENCE, hidden)),
        Column("p (Holm)", "p", raw["p_holm"]),
        Column("Reading from notes is", "verdict", raw["verdict"]),
    ]
    return Table(
        stem="extraction_cost",
        section="notes",
        title="What reading findings from notes costs",
        caption="Models that were learned and tested on findings read from notes, less the same "
        "models on the true findings of the same encounters (the sites' gold sites): below 0, "
        "reading costs. Differences are paired by the encounters that test in both; where not all "
        "labels are used, both drew those of the same encounters, as far as these stand in the "
        "same order at both sites. The verdict is Holm-corrected over the table.",
        raw=raw.drop(columns="suppressed", errors="ignore"),
        columns=columns,
    )


def _directions(cost: pd.DataFrame) -> list[str]:
    return [
        direction_label(source, target) if source else target
        for source, target in cost[["source", "target"]].to_numpy()
    ]
