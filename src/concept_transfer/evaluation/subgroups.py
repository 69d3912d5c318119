"""A cell's performance in groups of its test encounters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from concept_transfer.evaluation.cell_predictions import CellPredictions
from concept_transfer.evaluation.cell_rows import flag_of
from concept_transfer.evaluation.clusters import Clustered, clustered
from concept_transfer.evaluation.delong import auroc, clustered_variance, placements
from concept_transfer.evaluation.intervals import Variance, plain_interval, replicate_variance
from concept_transfer.evaluation.metrics import Metric, metrics_of
from concept_transfer.evaluation.metrics.classes import mean_of_known
from concept_transfer.settings.evaluation import Evaluation

DIFFERENCE = "observed_minus_predicted"


def subgroup_rows(
    cell: CellPredictions,
    groups: Mapping[str, np.ndarray],
    clusters: np.ndarray,
    settings: Evaluation,
) -> Iterator[dict[str, Any]]:
    """AUROC, Brier score, and (of two classes) observed minus predicted risk, a row a group and
    metric.

    ``groups``: variable -> group of every test encounter [n]; ``clusters`` [n]: their clusters.
    Sampling errors come from each encounter's share in the estimate, added up by cluster (for the
    AUROC by `clustered_variance`); the spread of replicates is added.
    """
    probability = cell.probability[cell.estimable].astype(np.float64)
    for variable, group in groups.items():
        for name in sorted(set(group)):
            members = group == name
            labels = cell.labels[members]
            positives = _positives(labels, cell.classes)
            shared = {
                **cell.cell.as_dict(),
                "variable": variable,
                "group": name,
                "encounters": int(members.sum()),
                "positives": positives,
                "flag": flag_of(positives, int(members.sum()), settings.min_positives),
            }
            for measured in _measured(
                labels, probability[:, members], clusters[members], cell.fold[members]
            ):
                lower, upper = measured.interval(settings.confidence)
                yield {
                    **shared,
                    "metric": measured.name,
                    "estimate": measured.estimate,
                    "lower": lower,
                    "upper": upper,
                }


@dataclass(frozen=True)
class _Measured:
    """A metric of one group: its value by replicate, and the sampling variance of their mean,
    which rests on so many clusters."""

    metric: Metric | None
    by_replicate: np.ndarray
    sampling: Clustered

    @property
    def name(self) -> str:
        return self.metric.name if self.metric else DIFFERENCE

    @property
    def estimate(self) -> float:
        return float(self.by_replicate.mean()) if len(self.by_replicate) else float("nan")

    def interval(self, confidence: float) -> tuple[float, float]:
        """The interaction of clusters and replicates counts twice, which is cautious."""
        variance = replace(
            Variance.of_sampling(self.sampling.variance, self.sampling.clusters),
            replicates=replicate_variance(self.by_replicate),
            repeats=len(self.by_replicate),
        )
        interval = self.metric.interval if self.metric else plain_interval
        return interval(self.estimate, variance, confidence)


def _positives(labels: np.ndarray, classes: int) -> int:
    """Encounters of the second of two classes, or of the rarest of more."""
    counts = np.bincount(labels, minlength=classes)
    return int(counts[1] if classes == 2 else counts.min())


def _measured(
    labels: np.ndarray, probability: np.ndarray, clusters: np.ndarray, fold: np.ndarray
) -> Iterator[_Measured]:
    """``probability`` [replicates, n], or [replicates, n, classes] of more than two classes."""
    _, unit = np.unique(clusters, return_inverse=True)
    metrics = metrics_of((*probability.shape[2:], 2)[0])
    if len(probability) and not np.isnan(auroc(labels, probability[0], fold)):
        of_replicate = np.stack([placements(labels, p, fold) for p in probability])
        area = _areas(labels, of_replicate)
        sampling = clustered_variance(labels, of_replicate.mean(axis=0), unit)
        yield _Measured(metrics["auroc"], area, sampling)
    everyone = (np.ones(len(labels), dtype=bool),)
    for metric, each in _errors(labels, probability, metrics["brier"]):
        mean = each.mean(axis=0) if len(each) else np.full(len(labels), np.nan)
        yield _Measured(metric, each.mean(axis=1), clustered(mean, unit, everyone))


def _areas(labels: np.ndarray, placement: np.ndarray) -> np.ndarray:
    """AUROC [replicates] of placements [replicates, n] or [replicates, classes, n]."""
    if placement.ndim == 2:
        return np.asarray(placement[:, labels == 1].mean(axis=1))
    each = [placement[:, k, labels == k].mean(axis=1) for k in np.unique(labels)]
    return mean_of_known(np.stack(each))


def _errors(
    labels: np.ndarray, probability: np.ndarray, brier: Metric
) -> Iterator[tuple[Metric | None, np.ndarray]]:
    """Metrics that are means over encounters, and every encounter's share [replicates, n]."""
    if probability.ndim == 2:
        errors = labels - probability
        yield brier, errors**2
        yield None, errors
    else:
        truth = labels[:, None] == np.arange(probability.shape[2])
        yield brier, ((truth - probability) ** 2).sum(axis=2)
