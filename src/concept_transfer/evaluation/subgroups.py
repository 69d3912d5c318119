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
from concept_transfer.evaluation.metrics import METRICS
from concept_transfer.settings.evaluation import Evaluation

DIFFERENCE = "observed_minus_predicted"


def subgroup_rows(
    cell: CellPredictions,
    groups: Mapping[str, np.ndarray],
    clusters: np.ndarray,
    settings: Evaluation,
) -> Iterator[dict[str, Any]]:
    """AUROC, Brier score, and observed minus predicted risk, a row a group and metric.

    ``groups``: variable -> group of every test encounter [n]; ``clusters`` [n]: their clusters.
    Sampling errors come from each encounter's share in the estimate, added up by cluster (for the
    AUROC by `clustered_variance`); the spread of replicates is added.
    """
    probability = cell.probability[cell.estimable].astype(np.float64)
    for variable, group in groups.items():
        for name in sorted(set(group)):
            members = group == name
            labels, positives = cell.labels[members], int(cell.labels[members].sum())
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
                    "metric": measured.metric,
                    "estimate": measured.estimate,
                    "lower": lower,
                    "upper": upper,
                }


@dataclass(frozen=True)
class _Measured:
    """A metric of one group: its value by replicate, and the sampling variance of their mean,
    which rests on so many clusters."""

    metric: str
    by_replicate: np.ndarray
    sampling: Clustered

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
        if self.metric == DIFFERENCE:
            return plain_interval(self.estimate, variance, confidence)
        return METRICS[self.metric].interval(self.estimate, variance, confidence)


def _measured(
    labels: np.ndarray, probability: np.ndarray, clusters: np.ndarray, fold: np.ndarray
) -> Iterator[_Measured]:
    _, unit = np.unique(clusters, return_inverse=True)
    if len(probability) and not np.isnan(auroc(labels, probability[0], fold)):
        of_replicate = np.stack([placements(labels, p, fold) for p in probability])
        area = of_replicate[:, labels == 1].mean(axis=1)
        yield _Measured("auroc", area, clustered_variance(labels, of_replicate.mean(axis=0), unit))
    errors = labels - probability
    everyone = (np.ones(len(labels), dtype=bool),)
    for metric, each in (("brier", errors**2), (DIFFERENCE, errors)):
        mean = each.mean(axis=0) if len(each) else np.full(len(labels), np.nan)
        yield _Measured(metric, each.mean(axis=1), clustered(mean, unit, everyone))
