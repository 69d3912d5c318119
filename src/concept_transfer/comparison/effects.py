"""Paired effects between cells, with an interval and a test (see `intervals`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from concept_transfer.comparison.contrasts import Contrast
from concept_transfer.evaluation.delong import variance as delong_variance
from concept_transfer.evaluation.intervals import (
    Variance,
    degrees_of_freedom,
    interval_within,
    replicate_variance,
    tail,
    variance_of,
)
from concept_transfer.evaluation.metrics import TESTED
from concept_transfer.evaluation.results import Results
from concept_transfer.settings.evaluation import Evaluation


@dataclass(frozen=True)
class Effect:
    """A difference, its interval, standard error, degrees of freedom and two-sided p.

    ``reach``: how far from 0 the difference can be at all. ``replicates``: how many both sides
    share. ``p_equivalence``: the larger p of the two one-sided tests that the difference lies
    within ``settings.margin`` (NaN without a margin or in another metric than AUROC). ``test``:
    where the sampling variance comes from.
    """

    difference: float
    lower: float
    upper: float
    standard_error: float
    freedom: float
    reach: float
    replicates: int
    p: float
    p_equivalence: float
    test: str


def paired_effect(
    contrasts: Sequence[Contrast], results: Results, settings: Evaluation, metric: str = TESTED
) -> Effect:
    """The mean of one or several contrasts, over the replicates that all their cells have.

    Contrasts of one target share test encounters, and their covariance counts; different targets
    have independent encounters. Replicates are shared by all targets: one draw of initial weights
    and of control vectors serves them all.
    """
    targets: dict[str, list[Contrast]] = {}
    for contrast in contrasts:
        targets.setdefault(contrast.cells[0].target, []).append(contrast)
    sums = [_sum(group, results, metric) for group in targets.values()]
    samples = [variance for _, variance in sums]
    whole = _together([values for values, _ in sums], samples)
    count = len(contrasts)
    difference = sum(_mean(values.values()) for values, _ in sums) / count
    error = whole.total**0.5 / count
    freedom = degrees_of_freedom(whole, samples)
    record = results[contrasts[0].cells[0]].metrics[metric]
    most = record.width * max(len(c.plus) for c in contrasts)
    lower, upper = interval_within(difference, error, freedom, settings.confidence, most)
    margin = settings.margin if metric == TESTED else None
    return Effect(
        difference=difference,
        lower=lower,
        upper=upper,
        standard_error=error,
        freedom=freedom,
        reach=float(most),
        replicates=min(len(values) for values, _ in sums),
        p=2 * tail(abs(difference), error, freedom),
        p_equivalence=(
            float("nan") if margin is None else tail(margin - abs(difference), error, freedom)
        ),
        test=whole.method,
    )


def _sum(
    contrasts: Sequence[Contrast], results: Results, metric: str
) -> tuple[dict[int, float], Variance]:
    """The sum of contrasts of one target, by replicate, and the variance of its mean."""
    cells = [results[cell] for contrast in contrasts for cell in contrast.cells]
    signs = np.array([s for c in contrasts for s in [1.0] * len(c.plus) + [-1.0] * len(c.minus)])

    def signed(values: Sequence[Any]) -> np.ndarray:
        return signs @ np.array(values, dtype=np.float64)

    values = [cell.values.get(("test", metric), {}) for cell in cells]
    shared = sorted(set.intersection(*(set(v) for v in values)))
    by_replicate = signed([[v[n] for n in shared] for v in values])
    delong = None
    placements = [cell.placements for cell in cells if cell.placements is not None]
    if metric == TESTED and len(placements) == len(cells):
        each = signed([placement.ravel() for placement in placements])
        delong = delong_variance(cells[0].labels, each.reshape(placements[0].shape))
    variance = variance_of(
        by_replicate=by_replicate,
        sampling_draws=signed([cell.sampling_draws[metric] for cell in cells]),
        crossed_draws=signed([cell.draws[metric] for cell in cells]),
        clusters=int(cells[0].estimates[metric]["clusters"]),
        delong=delong,
    )
    return dict(zip(shared, by_replicate.tolist(), strict=True)), variance


def _together(values: Sequence[dict[int, float]], samples: Sequence[Variance]) -> Variance:
    """The variance of a sum over targets, whose replicates are the same and whose clusters not."""
    common = sorted(set.intersection(*(set(v) for v in values)))
    repeats = len(common) if len(common) > 1 else min(s.repeats for s in samples)
    replicates = sum(s.replicates for s in samples)
    if len(common) > 1:
        replicates = replicate_variance(np.sum([[v[n] for n in common] for v in values], axis=0))
    return Variance(
        sampling=sum(s.sampling for s in samples),
        replicates=replicates,
        interaction=sum(s.interaction for s in samples),
        clusters=min(s.clusters for s in samples),
        repeats=repeats,
        method=samples[0].method,
    )


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return float(np.mean(known)) if known else float("nan")


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's (1979) step-down adjusted p values; NaN stays NaN and does not count."""
    values = np.asarray(p, dtype=float)
    adjusted = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = np.arange(len(order), 0, -1) * values[order]
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted


def holm_levels(p: Sequence[float], alpha: float) -> np.ndarray:
    """The significance level at which Holm's procedure judges each of its p values (none NaN).

    The i-th smallest of m is judged at alpha / (m - i + 1); those behind the first that fails are
    judged at that one's level. An interval of 1 - level leaves out 0 just where Holm rejects.
    """
    order = np.argsort(p, kind="stable")
    steps = alpha / np.arange(len(p), 0, -1)
    failed = np.flatnonzero(np.asarray(p)[order] >= steps)
    if len(failed):
        steps[failed[0] :] = steps[failed[0]]
    levels = np.empty(len(p))
    levels[order] = steps
    return levels
