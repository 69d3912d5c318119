"""Which clusters and replicates each bootstrap draw takes, and a cell's metrics in every draw.

The draws depend on the study's seed, the target site and the sorted cluster ids only, so all
cells with the same target are resampled alike and their differences are paired. Draws are not
stratified by label. A draw takes one unit fewer than there are, with replacement, which makes
the variance of a mean unbiased (McCarthy & Snowden 1985) however few the units are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from concept_transfer.evaluation.metrics import Condensed, CondensedClasses, weighted_metrics

HALVINGS = 50
BLOCK = 1 << 21  # numbers per work array, so that a block of draws stays in the cache


@dataclass(frozen=True)
class Resample:
    """What all cells of one target share.

    ``unit`` [n]: index of each test encounter's cluster among the sorted ids; ``clusters`` uint8
    [units, draws] and ``replicates`` uint8 [replicates, draws]: how often a draw takes each;
    ``parts`` bool [units, parts]: held-out sets for the regret, each fold, or with one fold random
    halves and their complements: models are judged on the part, their best rival is found on the
    rest;
    ``numbers``: the replicate numbers; ``digest`` names all of it.
    """

    unit: np.ndarray
    clusters: np.ndarray
    replicates: np.ndarray
    parts: np.ndarray
    numbers: np.ndarray
    digest: str

    @property
    def independent(self) -> bool:
        """Every cluster is one encounter."""
        return len(self.unit) == len(self.clusters)


def resample(
    clusters: np.ndarray,
    fold: np.ndarray,
    numbers: np.ndarray,
    draws: int,
    seed: int,
    target: str,
) -> Resample:
    """Draw clusters [n] of the test encounters in folds [n], and replicate numbers."""
    ids, first, unit = np.unique(
        np.asarray(clusters, dtype=str), return_index=True, return_inverse=True
    )
    identity = hashlib.sha256(
        "\0".join([str(seed), target, str(draws), *map(str, numbers), *ids.tolist()]).encode()
    ).hexdigest()
    site = int.from_bytes(hashlib.sha256(target.encode()).digest()[:8], "little")

    def stream(purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, site, purpose])

    return Resample(
        unit=unit,
        clusters=_counts(len(ids), draws, stream(0)),
        replicates=_counts(len(numbers), draws, stream(1)),
        parts=_parts(fold[first], stream(2)),
        numbers=np.asarray(numbers),
        digest=identity,
    )


def _parts(fold: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """bool [units, parts] for units of the given folds [units]."""
    folds = np.unique(fold)
    if len(folds) > 1:
        return np.asarray(fold[:, None] == folds)
    units = len(fold)
    halves = [stream.permutation(units) < units / 2 for _ in range(HALVINGS)]
    return np.stack([part for half in halves for part in (half, ~half)], axis=1)


def _counts(units: int, draws: int, stream: np.random.Generator) -> np.ndarray:
    """uint8 [units, draws]: multinomial counts of ``units`` - 1 picks (one unit is kept)."""
    if units == 1:
        return np.ones((1, draws), np.uint8)
    counts = np.empty((draws, units), np.uint8)
    for row in counts:
        row[:] = np.bincount(stream.integers(units, size=units - 1), minlength=units)
    return np.ascontiguousarray(counts.T)


@dataclass(frozen=True)
class CellDraws:
    """One cell's metrics, in the order of what measured them, over its estimable replicates.

    ``observed`` [metrics, replicates] on the observed sample; ``crossed`` [metrics, draws] with
    clusters and replicates resampled; ``sampling`` [metrics, draws] with clusters only;
    ``parts`` [replicates, parts, 2]: the first of them, AUROC, on each part of the clusters, and on
    all others.
    """

    observed: np.ndarray
    crossed: np.ndarray
    sampling: np.ndarray
    parts: np.ndarray

    def select(self, metrics: slice) -> CellDraws:
        """Some of the metrics."""
        return replace(
            self,
            observed=self.observed[metrics],
            crossed=self.crossed[metrics],
            sampling=self.sampling[metrics],
        )


def draw_cell(
    condensed: Sequence[Condensed] | Sequence[CondensedClasses],
    kept: np.ndarray,
    sample: Resample,
    alert_rate: float,
    measure: Callable[[Any, np.ndarray, float], np.ndarray] = weighted_metrics,
) -> CellDraws:
    """Evaluate a cell's estimable replicates in every draw.

    ``condensed``: one a kept replicate, by the units of ``sample``; ``kept`` int [replicates]:
    their rows in ``sample.numbers``; ``measure``: their metrics under weights, AUROC first. A draw
    in which a replicate has one class only, or that
    took no kept replicate, is NaN.
    """
    picked = sample.replicates[kept].astype(np.float64)
    with np.errstate(invalid="ignore"):
        picked = picked / picked.sum(axis=0)
    draws = sample.clusters.shape[1]
    ones = np.ones((len(sample.clusters), 1))
    observed = np.stack([measure(c, ones, alert_rate)[:, 0] for c in condensed], axis=1)
    crossed = np.empty((len(observed), draws))
    sampling = np.empty((len(observed), draws))
    precision = np.float32 if len(sample.unit) < 1 << 24 else np.float64  # counts stay exact
    widest = max(c.widest for c in condensed)
    step = max(16, BLOCK // max(widest, len(sample.clusters)))
    for start in range(0, draws, step):
        block = slice(start, min(start + step, draws))
        weights = sample.clusters[:, block].astype(precision)
        values = np.stack([measure(c, weights, alert_rate) for c in condensed])
        sampling[:, block] = values.mean(axis=0)
        share = picked[:, None, block]
        crossed[:, block] = np.where(share > 0, values * share, 0).sum(axis=0)
        crossed[:, block][:, np.isnan(share).any(axis=(0, 1))] = np.nan
    parts = np.concatenate([sample.parts, ~sample.parts], axis=1).astype(np.float64)
    auroc = np.stack([measure(c, parts, alert_rate)[0] for c in condensed])
    return CellDraws(
        observed=observed,
        crossed=crossed,
        sampling=sampling,
        parts=auroc.reshape(len(condensed), 2, -1).swapaxes(1, 2),
    )
