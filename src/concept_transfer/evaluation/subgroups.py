"""A cell's performance in groups of its test encounters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from concept_transfer.evaluation.cell_rows import flag_of
from concept_transfer.evaluation.cells import CellPredictions
from concept_transfer.evaluation.delong import auroc, placements
from concept_transfer.evaluation.intervals import (
    Variance,
    plain_interval,
    share_interval,
)
from concept_transfer.settings.evaluation import Evaluation

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
                "flag": flag_of(positives, int(own.sum()), settings.min_positives),
            }
            found = _metrics(labels, kept[:, own], clusters[own], cell.fold[own])
            for metric, by_replicate, sampling, units in found:
                variance = _variance(by_replicate, sampling, units)
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
    labels: np.ndarray, probability: np.ndarray, clusters: np.ndarray, fold: np.ndarray
) -> Iterator[tuple[str, np.ndarray, float, int]]:
    """(metric, its value [replicates], sampling variance of their mean, clusters behind that)."""
    _, unit = np.unique(clusters, return_inverse=True)
    everyone = np.ones(len(labels), dtype=bool)
    if len(probability) and not np.isnan(auroc(labels, probability[0], fold)):
        of_replicate = np.stack([placements(labels, p, fold) for p in probability])
        area = of_replicate[:, labels == 1].mean(axis=1)
        classes = [labels == 1, labels == 0]
        variance, units = _clustered(of_replicate.mean(axis=0), unit, classes)
        yield "auroc", area, variance, units
    errors = labels - probability
    for metric, each in (("brier", errors**2), (DIFFERENCE, errors)):
        mean = each.mean(axis=0) if len(each) else np.full(len(labels), np.nan)
        yield metric, each.mean(axis=1), *_clustered(mean, unit, [everyone])


def _clustered(
    values: np.ndarray, unit: np.ndarray, classes: Sequence[np.ndarray]
) -> tuple[float, int]:
    """Variance of the sum of the classes' means of ``values`` [n], and the fewest clusters in one.

    Each class's deviations are scaled for its own number of clusters m by m / (m - 1), then
    summed by cluster; NaN where a class lies in one cluster.
    """
    influence = np.zeros(len(values))
    fewest = len(values)
    for members in classes:
        units = len(np.unique(unit[members]))
        scale = (units / (units - 1)) ** 0.5 if units > 1 else float("nan")
        own = values[members]
        influence[members] = scale * (own - own.mean()) / len(own)
        fewest = min(fewest, units)
    return float((np.bincount(unit, weights=influence) ** 2).sum()), fewest


def _variance(by_replicate: np.ndarray, sampling: float, clusters: int) -> Variance:
    """The interaction of clusters and replicates counts twice, which is cautious."""
    repeats = len(by_replicate)
    return Variance(
        sampling=sampling,
        replicates=float(np.var(by_replicate, ddof=1) / repeats) if repeats > 1 else 0.0,
        interaction=0.0,
        clusters=clusters,
        repeats=repeats,
        method="",
    )
