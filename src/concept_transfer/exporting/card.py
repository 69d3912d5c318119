"""The card of a bundle that leaves: the inner card without counts of few encounters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from concept_transfer.exporting.description import Hospital, are_few
from concept_transfer.models.bundle import ModelCard
from concept_transfer.reporting.suppression import few

MEASURED = ("auroc", "auprc", "brier", "log_loss", "calibration_intercept", "calibration_slope")


def leaving(
    card: ModelCard,
    hospital: Hospital,
    estimates: list[dict[str, Any]],
    data: Mapping[str, dict[str, Any]],
    use: dict[str, Any],
    small_cells: int,
) -> ModelCard:
    """The card as it leaves.

    hospital: where the models were trained, and tested if they are a cell's; estimates: rows of
    their cell in ``estimates.parquet`` (none of a source's models); data: site -> what is told of
    the encounters that they learned from. What was measured on few encounters of a class, or
    learned from few, is None.
    """
    judged = hospital.split.source_parts()[1]
    judged_on_few = are_few(hospital.of_classes(judged), small_cells)
    return replace(
        card,
        encounters=None,
        replicates=[_record(record, judged_on_few, small_cells) for record in card.replicates],
        calibration=[_calibration(each, small_cells) for each in card.calibration],
        performance=_tested(card, hospital, estimates, small_cells)
        if card.performance
        else _validated(card, judged_on_few),
        data=dict(data),
        use=use,
        made_from="",
    )


def _record(record: dict[str, Any], judged_on_few: bool, small_cells: int) -> dict[str, Any]:
    shown = dict(record)
    for key in ("train", "validation"):
        if 0 < record[key] < small_cells:
            shown[key] = None
    if few(record["positives"], record["train"], small_cells):
        shown["positives"] = None
    if judged_on_few and "source_auroc" in record:
        shown["source_auroc"] = None
    return shown


def _calibration(calibration: dict[str, Any] | None, small_cells: int) -> dict[str, Any] | None:
    if calibration is None or calibration["rarest"] < small_cells:
        return None
    return {key: calibration[key] for key in ("slope", "intercepts")}


def _validated(card: ModelCard, judged_on_few: bool) -> dict[str, Any]:
    """What is known of a source's models: their AUROC on its own validation encounters."""
    areas = {record["replicate"]: record.get("source_auroc") for record in card.replicates}
    known = [area for area in areas.values() if area is not None]
    shown = bool(known) and not judged_on_few
    return {
        "auroc": float(np.mean(known)) if shown else None,
        "auroc_by_replicate": areas if shown else {},
        "tested": "on the validation encounters of the site where the models were trained",
    }


def _tested(
    card: ModelCard, hospital: Hospital, estimates: list[dict[str, Any]], small_cells: int
) -> dict[str, Any]:
    """What tests said, with intervals."""
    inner = dict(card.performance or {})
    tested = np.flatnonzero(hospital.split.fold >= 0)
    if are_few(hospital.of_classes(tested), small_cells):
        return {"auroc": None, "auroc_by_replicate": {}, "tested": inner["tested"]}
    found = {row["metric"]: row for row in estimates if not row["class"]}
    return inner | {
        "estimates": {
            name: {key: _number(found[name][key]) for key in ("estimate", "lower", "upper")}
            for name in MEASURED
            if name in found
        }
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
