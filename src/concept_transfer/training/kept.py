"""Fitted models of a cell as a bundle, with the performance that the cell's tests found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from concept_transfer.cohorts.budget import draw_from
from concept_transfer.training.calibrating import calibrations
from concept_transfer.training.fitting import FoldFit, fit_fold
from concept_transfer.training.performance import macro_auroc
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.setup import Setup
from concept_transfer.training.work import HandedOn, Work, Workbench


def keep_models(
    folder: Path,
    setup: Setup,
    bench: Workbench,
    work: Work,
    fitted: FoldFit,
    predictions: Predictions,
    **facts: Any,
) -> None:
    """Write a cell's models; under cross-fitting, models refitted on all folds.

    fitted: those of the only fold; `facts`: further fields of the card. Replicates without a model
    are left out; where none has one the card alone is written, and says why.
    """
    if len(work.target.split.folds) > 1:
        pools = work.target.split.source_parts()
        budget = draw_from(work.target.cohort, pools, work.size, list(bench.context.keys))
        fitted = fit_fold(bench, work, budget)
    records = fitted.records(bench.replicates)
    calibration = calibrations(bench, fitted, work.target)
    if fitted.models is not None:
        records = [records[place] for place in fitted.places]
        calibration = [calibration[place] for place in fitted.places]
    models = HandedOn(fitted.models, records, calibration)
    card = setup.card(
        models,
        work.target,
        work.training,
        target_size=work.size,
        performance=performance(predictions),
        **facts,
    )
    setup.write(folder, bench, models, card)


def performance(predictions: Predictions) -> dict[str, Any]:
    """AUROC on the target's test encounters, the mean over replicates; None where there is none."""
    split = predictions.site.split
    areas = {}
    for record in predictions.records:
        replicate = record["replicate"]
        areas[replicate] = macro_auroc(*predictions.tested(replicate))
    known = [area for area in areas.values() if area is not None]
    folds = len(split.folds)
    return {
        "auroc": float(np.mean(known)) if known else None,
        "auroc_by_replicate": areas,
        "tested": f"cross-fitted in {folds} folds" if folds > 1 else "on encounters held out",
        "encounters": int((split.fold >= 0).sum()),
    }
