"""Carries out a strategy on a fold's budget; the same for every learner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import (
    Budget,
    Rows,
    allow_choice,
    count_classes,
    same_for_all,
)
from concept_transfer.cohorts.cross_fitting import fold_numbers, folds_of_budget
from concept_transfer.learners.learner import (
    AligningFamily,
    CrossFitted,
    CrossFittingFamily,
    Fitted,
    ValidatedFamily,
)
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import Part, Plan
from concept_transfer.training.aligning import align
from concept_transfer.training.choosing import chosen, predicted
from concept_transfer.training.performance import effective, known_at_source
from concept_transfer.training.planning import (
    make_plan,
    of_one_class,
    options_of,
    source_budget,
    source_prior,
)
from concept_transfer.training.predictions import DIVERGED, NOT_ESTIMABLE, OK, record
from concept_transfer.training.recalibrating import recalibrate
from concept_transfer.training.work import HandedOn, Work, Workbench, untaught

NOTHING = np.empty(0, np.int64)


@dataclass(frozen=True)
class FoldFit:
    """The models of a fold, of the replicates at `places` of the block, and what became of all.

    status, epochs: one a replicate; labels: int64 [R, classes], target labels trained on; held:
    float64 [places, n, classes], of the budget's encounters, to train and then to validate on, by
    models that had not seen them (None unless the learner cross-fits, or models are recalibrated);
    facts: one a replicate, further fields of its record.
    """

    models: Any
    places: list[int]
    status: list[str]
    epochs: list[int]
    labels: Rows
    budget: Budget | None
    held: NDArray[np.float64] | None
    facts: list[dict[str, Any]]

    def records(self, replicates: list[int], fold: int = -1) -> list[dict[str, Any]]:
        """What became of each replicate; fold -1 is no fold of a split."""
        train, validation = 0, 0
        if self.budget is not None:
            train, validation = self.budget.train.shape[1], self.budget.validation.shape[1]
        if self.held is not None:
            train, validation = train + validation, 0
        return [
            record(replicate, fold, status, epochs, train, validation, labels) | facts
            for replicate, status, epochs, labels, facts in zip(
                replicates, self.status, self.epochs, self.labels, self.facts, strict=True
            )
        ]


def fit_fold(
    bench: Workbench, work: Work, budget: Budget | None, pool: NDArray[np.int64] = NOTHING
) -> FoldFit:
    """Carry out the strategy's plan on a budget, where the labels allow it.

    The plan for all replicates tells whose labels are of one class; the others then get their own.
    A learner that cross-fits trains on the whole budget, and so does a recalibration.
    pool: rows [n] of the target that may be looked at without their labels.
    """
    drawn, strategy = budget, STRATEGIES[work.strategy.kind]
    options = options_of(work)
    if budget is not None and (bench.learner.cross_fits(work.training) or strategy.recalibration):
        budget = budget.joined
    replicates = len(bench.replicates)
    everyone = list(range(replicates))
    plan = make_plan(bench, work.having(options[0]), budget, everyone, pool)
    one_class = of_one_class(plan, replicates, bench.context.classes)
    failed = np.zeros(replicates, bool)
    known = work.same if work.size == "all" else None
    if known or strategy.starts_from_source:
        failed = (known or work.received).diverged
    status = [
        DIVERGED if bad else NOT_ESTIMABLE if alone else OK
        for bad, alone in zip(failed, one_class, strict=True)
    ]
    places = [i for i, state in enumerate(status) if state == OK]
    epochs, facts = [0] * replicates, [dict[str, Any]() for _ in everyone]
    models, held = None, None
    if places and (known or strategy.adapts or not plan.train):
        given = known or (work.received if strategy.starts_from_source else untaught(bench))
        models, held = _as_given(bench, work, given, budget, places, pool)
        for place in places:
            epochs[place] = given.records[place]["epochs"]
    elif places:
        plans = [plan]
        if places != everyone or len(options) > 1:
            plans = [make_plan(bench, work.having(each), budget, places, pool) for each in options]
        fitted, held, best = _train(bench, work, plans, drawn, places)
        models = fitted.models
        outcomes = zip(places, fitted.epochs, fitted.diverged, best, strict=True)
        for place, epoch, diverged, number in outcomes:
            status[place] = DIVERGED if diverged else OK
            epochs[place] = epoch
            facts[place] = {"settings": options[number]} if options[number] else {}
        if budget is None:
            facts, held = _source_facts(bench, plans[0].train[0], places, models, held), None
    if not plan.train and strategy.starts_from_source:
        facts = [{"source_auroc": said.get("source_auroc")} for said in work.received.records]
    labels = label_counts(work.target, budget.train if budget else None, bench)
    return FoldFit(models, places, status, epochs, labels, drawn, held, facts)


def _as_given(
    bench: Workbench,
    work: Work,
    given: HandedOn,
    budget: Budget | None,
    places: list[int],
    pool: NDArray[np.int64],
) -> tuple[Any, NDArray[np.float64] | None]:
    """The models of the replicates at some places, as they are or changed, and `held`."""
    family, models = bench.among(places), given.models.select(places)
    strategy = STRATEGIES[work.strategy.kind]
    if strategy.alignment:
        assert work.source is not None
        change = partial(strategy.alignment, work.strategy)
        able = cast(AligningFamily, family)
        return align(able, models, change, work.source, work.target, pool), None
    if strategy.recalibration is None:
        return models, None
    rows = budget.select(places).train if budget else same_for_all(pool, len(places))
    return recalibrate(
        family,
        models,
        partial(strategy.recalibration, work.strategy),
        work.target,
        rows,
        None if budget is None else fold_numbers(work.target.cohort, rows),
        source_prior(bench, work),
    )


def _train(
    bench: Workbench, work: Work, plans: Sequence[Plan], drawn: Budget | None, places: list[int]
) -> tuple[Fitted, NDArray[np.float64] | None, Sequence[int]]:
    """The models of the replicates at some places, what models that had not seen them say of the
    encounters of the plans' first part (see `FoldFit.held`), and the number of the plan that
    held-out log loss chose of each.

    drawn: the labels of all replicates; None: those of the source train.
    """
    family, first, validation = bench.among(places), plans[0].train[0], plans[0].validation
    assert validation is not None
    cohort, cross_fits = first.site.cohort, bench.learner.cross_fits(work.training)
    if cross_fits:
        rows = first.rows
        own = drawn.select(places) if drawn else source_budget(work, len(places))
        number = bench.learner.folds(rows.shape[1], work.hands_on or drawn is None)
        folds = folds_of_budget(cohort, own, number)
        crossing = cast(CrossFittingFamily, family)
        fits = [crossing.cross_fit(plan, work.training, folds) for plan in plans]
    else:
        choose = allow_choice(cohort, Budget(first.rows, validation.rows))
        validated = cast(ValidatedFamily, family)
        models = [validated.fit(plan, work.training, choose) for plan in plans]
        if len(plans) == 1:
            return models[0], None, [0] * len(places)
        rows = validation.rows
        folds = np.zeros_like(rows)
        fits = [
            CrossFitted(own, predicted(family, own.models, validation.site, rows)) for own in models
        ]
    if len(plans) == 1:
        return fits[0].fitted, fits[0].held, [0] * len(places)
    best, of = chosen(family, fits, cohort.labels[rows], folds)
    return best.fitted, best.held if cross_fits else None, of


def _source_facts(
    bench: Workbench, own: Part, places: list[int], models: Any, held: NDArray[np.float64] | None
) -> list[dict[str, Any]]:
    """What is known of each replicate's model that learned from a part of the source alone."""
    facts: list[dict[str, Any]] = [{} for _ in bench.replicates]
    areas = known_at_source(bench.among(places), models, own.site, held)
    for place, area in zip(places, areas, strict=True):
        facts[place] = {"source_auroc": area, **effective(own)}
    return facts


def label_counts(target: Site, rows: Rows | None, bench: Workbench) -> Rows:
    """The same for target rows; zeros where no label was used."""
    classes = bench.context.classes
    if rows is None:
        return np.zeros((len(bench.replicates), classes), np.int64)
    return count_classes(target.cohort, rows, classes)
