"""The plan of a strategy for some of a block's replicates, and what it is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import (
    Budget,
    count_classes,
    draw_from,
    same_for_all,
)
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import Plan, Situation
from concept_transfer.training.choosing import Settings, alternatives
from concept_transfer.training.work import Work, Workbench


def options_of(work: Work) -> list[Settings]:
    """What the strategy's settings may be; the paper's protocol takes the first."""
    open_ = alternatives(STRATEGIES[work.strategy.kind].choices, work.strategy)
    return open_[:1] if work.training.protocol == "gao2024" else open_


def make_plan(
    bench: Workbench,
    work: Work,
    budget: Budget | None,
    places: list[int],
    pool: NDArray[np.int64],
) -> Plan:
    """The plan for the replicates at some places of the block.

    budget: the labels of all replicates; pool: rows [n] of the target that may be looked at
    without their labels.
    """
    strategy = STRATEGIES[work.strategy.kind]
    models = work.received.models.select(places) if strategy.starts_from_source else None
    chosen = budget.select(places) if budget else None
    source = work.source if strategy.uses_source else None
    at_source = None
    if source is not None:
        at_source = source_budget(work, len(places))
        at_source = at_source.joined if bench.learner.cross_fits(work.training) else at_source
    return strategy.plan(
        Situation(
            work.strategy,
            work.target,
            chosen,
            source,
            models,
            same_for_all(pool, len(places)),
            at_source,
        )
    )


def source_budget(work: Work, replicates: int) -> Budget:
    """The source's encounters, divided as for its own models."""
    assert work.source is not None
    split = work.source.split
    return draw_from(work.source.cohort, split.source_parts(), "all", [0] * replicates)


def source_prior(bench: Workbench, work: Work) -> NDArray[np.float64]:
    """The share of each class among what the source's models were trained on, as they saw it."""
    classes = bench.context.classes
    if work.source is None or work.training.class_weight == "balanced":
        return np.full(classes, 1 / classes)
    train, validation = work.source.split.source_parts()
    if bench.learner.cross_fits(work.training):
        train = np.concatenate([train, validation])
    counts = np.bincount(work.source.labels[train], minlength=classes)
    return np.asarray(counts / counts.sum())


def of_one_class(plan: Plan, replicates: int, classes: int) -> NDArray[np.bool_]:
    """Whether each replicate would train on labels of one class, bool [R]."""
    if not plan.train:
        return np.zeros(replicates, bool)
    counts = np.sum(
        [count_classes(part.site.cohort, part.rows, classes) for part in plan.train], axis=0
    )
    return np.asarray((counts > 0).sum(axis=1) < 2)
