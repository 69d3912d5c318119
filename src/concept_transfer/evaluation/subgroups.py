"""A cell's performance in groups of its test encounters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from concept_transfer.evaluation.cells import CellPredictions
from concept_transfer.evaluation.delong import placements
from concept_transfer.evaluation.intervals import (
    Variance,
    plain_interval,
    share_interval,
)
from concept_transfer.study import Evaluation

METHOD = "clustered linearization"
DIFFERENCE = "observed_minus_predicted"
COLUMNS = (
    ("variable", pa.string()),
    ("group", pa.string()),
    ("metric", pa.string()),
    ("estimate", pa.float64()),
    ("lower", pa.float64()),
    ("upper", pa.float64()),
    ("encounters", pa.int64()),
    ("positives", pa.int64()),
    ("flag", pa.string()),
)


def subgroup_rows(
    cell: CellPredictions,
    groups: Mapping[str, np.ndarray],
    clusters: np.ndarray,
    settings: Evaluation,
) -> Iterator[dict[str, Any]]:
    """AUROC, Brier score, and observed minus predicted risk, a row a group and metric.

    ``groups``: variable -> group of every test encounter [n]; ``clusters`` [n]: their clusters.
    Sampling errors come from each encounter's share in the estimate, added up by cluster (for the
    AUROC that is Obuchowski 1997, Biometrics 53); the spread of replicates is added.
    """
    kept = cell.probability[cell.estimable].astype(np.float64)
    for variable, group in groups.items():
        for name in sorted(set(group)):
            own = group == name
            labels, positives = cell.labels[own], int(cell.labels[own].sum())
            shared = {
                **cell.cell.as_dict(),
                "variable": variable,
                "group": name,
                "encounters": int(own.sum()),
                "positives": positives,
                "flag": "few positives" if positives < settings.min_positives else "",
            }
            for metric, by_replicate, influence in _metrics(labels, kept[:, own]):
                variance = _variance(by_replicate, influence, clusters[own])
                interval = plain_interval if metric == DIFFERENCE else share_interval
                estimate = float(by_replicate.mean()) if len(by_replicate) else float("nan")
                lower, upper = interval(estimate, variance, settings.confidence)
                yield {
                    **shared,
                    "metric": metric,
                    "estimate": estimate,
                    "lower": lower,
                    "upper": upper,
                }


def _metrics(
    labels: np.ndarray, probability: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(metric, its value [replicates], each encounter's influence on their mean [n])."""
    if 0 < labels.sum() < len(labels) and len(probability):
        of_replicate = np.stack([placements(labels, p) for p in probability])
        area = of_replicate[:, labels == 1].mean(axis=1)
        placement = of_replicate.mean(axis=0)
        size = np.where(labels == 1, (labels == 1).sum(), (labels == 0).sum())
        yield "auroc", area, (placement - area.mean()) / size
    errors = labels - probability
    for metric, each in (("brier", errors**2), (DIFFERENCE, errors)):
        mean = each.mean(axis=0) if len(each) else np.full(len(labels), np.nan)
        yield metric, each.mean(axis=1), (mean - mean.mean()) / len(labels)


def _variance(by_replicate: np.ndarray, influence: np.ndarray, clusters: np.ndarray) -> Variance:
    """The interaction of clusters and replicates counts twice, which is cautious."""
    _, unit = np.unique(clusters, return_inverse=True)
    sums = np.bincount(unit, weights=influence)
    units, repeats = len(sums), len(by_replicate)
    return Variance(
        sampling=float((sums**2).sum() * units / (units - 1)) if units > 1 else float("nan"),
        replicates=float(np.var(by_replicate, ddof=1) / repeats) if repeats > 1 else 0.0,
        interaction=0.0,
        clusters=units,
        repeats=repeats,
        method=METHOD,
    )
