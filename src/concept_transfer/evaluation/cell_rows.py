"""The rows that one evaluated cell adds to the tables of ``metrics/<target>/<embedding>/``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from concept_transfer.evaluation.bootstrap import CellDraws, Resample
from concept_transfer.evaluation.calibration import (
    calibration_bins,
    logit,
    recalibration,
    sigmoid,
)
from concept_transfer.evaluation.cell_predictions import CellPredictions, LabelledPredictions
from concept_transfer.evaluation.delong import variance
from concept_transfer.evaluation.intervals import variance_of
from concept_transfer.evaluation.metrics import (
    DECOMPOSITION,
    METRICS,
    RISKS,
    TESTED,
    Metric,
    brier_parts,
    metrics,
    no_skill,
)
from concept_transfer.evaluation.schemas import CLASS
from concept_transfer.settings.evaluation import Evaluation

RECALIBRATION_POSITIVES = 10  # of either class; fewer cannot carry an intercept and a slope
COVERAGE = ("events_by_prefix", "events_unknown", "events_cut")
FEWEST_NEGATIVES = 10  # one of them may raise an alert
NAN = float("nan")


def flag_of(positives: int, encounters: int, least: int) -> str:
    """What keeps a cell out of the headlines: too few test encounters of the rarer class."""
    rarer = min(positives, encounters - positives)
    if rarer >= least:
        return ""
    return "few positives" if rarer == positives else "few negatives"


@dataclass(frozen=True)
class Measured:
    """What is measured of a cell's test predictions on all classes together (``name`` is "") or on
    one class told from all others.

    ``labels`` int8 [n]; ``metrics`` and their ``draws``, in the same order; ``chance``: the level
    of no skill; ``positives``: test encounters of the class (the second of two, of all together
    the rarest of more); ``flag``: why they keep it out of headlines; ``placement``: of the AUROC,
    [n] or of all together [classes, n].
    """

    name: str
    labels: np.ndarray
    metrics: Mapping[str, Metric]
    draws: CellDraws
    chance: Mapping[str, float]
    positives: int
    flag: str
    placement: np.ndarray


def measured(
    cell: CellPredictions, draws: CellDraws, placement: np.ndarray, settings: Evaluation
) -> Measured:
    """An outcome of two classes."""
    positives = int(cell.labels.sum())
    return Measured(
        name="",
        labels=cell.labels,
        metrics=METRICS,
        draws=draws,
        chance=no_skill(cell.labels, cell.fold),
        positives=positives,
        flag=flag_of(positives, len(cell.labels), settings.min_positives),
        placement=placement,
    )


def replicate_rows(
    cell: CellPredictions, draws: CellDraws, alert_rate: float
) -> list[dict[str, Any]]:
    """Test metrics, the same after recalibration on validation data, and validation metrics; of a
    source model as it is also the AUROC on its source's validation data (partition ``source``)."""
    rows = []
    for column, index in enumerate(np.flatnonzero(cell.estimable).tolist()):
        probability, validation = cell.probability[index], cell.validation[index]
        test = dict(zip(METRICS, draws.observed[:, column].tolist(), strict=True))
        parts = brier_parts(cell.labels, probability, cell.fold)
        test |= dict(zip(DECOMPOSITION, parts, strict=True))
        test |= _recalibrated(cell, probability, validation)
        test |= at_validated_threshold(cell, probability, validation)
        test |= coverage(cell, index)
        values = {"test": test}
        if len(validation.labels):
            values["validation"] = metrics(
                validation.labels, validation.probability, alert_rate, validation.fold
            )
        rows += rows_of_values(cell, index, "", {**values, **at_source(cell, index)})
    return rows


def at_source(cell: CellPredictions, index: int) -> dict[str, dict[str, float]]:
    """Of a source model as it is: the AUROC that a replicate had on its source's validation data
    (partition ``source``)."""
    area = {r["replicate"]: r.get("source_auroc") for r in cell.records}.get(cell.replicates[index])
    return {} if area is None else {"source": {TESTED: area}}


def coverage(cell: CellPredictions, index: int) -> dict[str, float]:
    """Of the test encounters' events, the shares that a replicate's model does not read or know as
    they are; a mean over folds. Nothing of learners that do not read events."""
    own = [r for r in cell.records if r["replicate"] == cell.replicates[index]]
    return {
        name: float(np.mean([record[name] for record in own]))
        for name in COVERAGE
        if all(name in record for record in own)
    }


def rows_of_values(
    cell: CellPredictions, index: int, name: str, values: Mapping[str, Mapping[str, float]]
) -> list[dict[str, Any]]:
    """One row a number of a replicate, on a class or (``name`` "") on all; ``values``: partition
    -> metric -> number."""
    shared = {**cell.cell.as_dict(), "replicate": int(cell.replicates[index]), CLASS: name}
    return [
        {**shared, "partition": part, "metric": metric, "value": value}
        for part, named in values.items()
        for metric, value in named.items()
    ]


def _recalibrated(
    cell: CellPredictions, probability: np.ndarray, validation: LabelledPredictions
) -> dict[str, float]:
    """Calibration on the test set after intercept and slope were fitted on validation data.

    With folds each is recalibrated by itself; none where a fold has too little to fit on.
    """
    adjusted = np.empty(len(probability))
    for fold in np.unique(cell.fold):
        seen, tested = validation.of_fold(fold), cell.fold == fold
        positives = int(seen.labels.sum())
        if min(positives, len(seen.labels) - positives) < RECALIBRATION_POSITIVES:
            return {}
        intercept, slope = recalibration(seen.labels, logit(seen.probability))
        if np.isnan(slope):
            return {}
        adjusted[tested] = sigmoid(intercept + slope * logit(probability[tested]))
    values = metrics(cell.labels, adjusted, fold=cell.fold)
    return {f"recalibrated_{metric.name}": values[metric.name] for metric in RISKS}


def at_validated_threshold(
    cell: CellPredictions, probability: np.ndarray, validation: LabelledPredictions
) -> dict[str, float]:
    """Sensitivity and specificity at the threshold with 90 % specificity on validation data.

    With folds each model has its own threshold; none where a fold has too few negatives to set it,
    or the test set lacks a class.
    """
    alert = np.empty(len(probability), dtype=bool)
    for fold in np.unique(cell.fold):
        seen, tested = validation.of_fold(fold), cell.fold == fold
        negatives = np.sort(seen.probability[seen.labels == 0])[::-1]
        if len(negatives) < FEWEST_NEGATIVES:
            return {}
        alert[tested] = probability[tested] > negatives[int(0.1 * len(negatives))]
    positive = cell.labels == 1
    if positive.all() or not positive.any():
        return {}
    return {
        "sensitivity_at_validated_90": float(alert[positive].mean()),
        "specificity_at_validated_90": float(1 - alert[~positive].mean()),
    }


def estimate_rows(
    cell: CellPredictions,
    measured: Measured,
    sample: Resample,
    settings: Evaluation,
    values: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Every metric with its intervals; of what only the rows of replicates (``values``) have, the
    mean and the spread of the replicates that have it."""
    kept = int(cell.estimable.sum())
    numbers = {r["replicate"] for r in cell.records if r["status"] == "diverged"}
    diverged = int(np.isin(cell.replicates[~cell.estimable], list(numbers)).sum())
    shared = {
        **cell.cell.as_dict(),
        CLASS: measured.name,
        "encounters": len(cell.labels),
        "clusters": len(sample.clusters),
        "positives": measured.positives,
        "replicates": kept,
        "not_estimable": len(cell.replicates) - kept - diverged,
        "diverged": diverged,
        "flag": measured.flag,
    }
    draws = measured.draws
    rows = []
    for index, (name, metric) in enumerate(measured.metrics.items()):
        by_replicate = draws.observed[index]
        estimate = float(by_replicate.mean()) if kept else NAN
        delong = None
        if name == TESTED and sample.independent:
            delong = variance(measured.labels, measured.placement)
        spread = variance_of(
            by_replicate, draws.sampling[index], draws.crossed[index], len(sample.clusters), delong
        )
        lower, upper = metric.interval(estimate, spread, settings.confidence)
        rows.append(
            {
                **shared,
                "metric": name,
                "estimate": estimate,
                "lower": lower,
                "upper": upper,
                "sampling_se": spread.sampling**0.5,
                "replicate_sd": by_replicate.std(ddof=1) if kept > 1 else NAN,
                "no_skill": measured.chance.get(name, NAN),
                "undefined_draws": int(np.isnan(draws.crossed[index]).sum()),
                "method": spread.method,
            }
        )
    further: dict[str, list[float]] = {}
    for row in values:
        own = row["partition"] == "test" and row[CLASS] == measured.name
        if own and row["metric"] not in measured.metrics:
            further.setdefault(row["metric"], []).append(row["value"])
    rows += [
        {
            **shared,
            "metric": name,
            "replicates": len(known),
            "estimate": float(np.mean(known)),
            "replicate_sd": float(np.std(known, ddof=1)) if len(known) > 1 else NAN,
        }
        for name, by_replicate in further.items()
        if (known := [value for value in by_replicate if math.isfinite(value)])
    ]
    return rows


def calibration_rows(cell: CellPredictions, name: str = "") -> Iterator[dict[str, Any]]:
    """The bins of the cell's calibration curve, the least predicted risks first; ``name``: of the
    class that is told from all others, if there are more than two."""
    kept = cell.probability[cell.estimable]
    if len(kept):
        for number, counted in enumerate(calibration_bins(cell.labels, kept)):
            yield {**cell.cell.as_dict(), CLASS: name, "bin": number, **counted._asdict()}
