"""Runs one cell's block of replicates, from sites to predictions; the same for every learner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import (
    Budget,
    Rows,
    allow_choice,
    are_same,
    count_classes,
    draw_budget,
    draw_from,
    same_for_all,
)
from concept_transfer.cohorts.cross_fitting import fold_numbers, folds_of_budget
from concept_transfer.learners.learner import (
    Context,
    CrossFitted,
    CrossFittingFamily,
    Family,
    Fitted,
    Learner,
    UntaughtFamily,
    ValidatedFamily,
)
from concept_transfer.progress import part
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import Part, Plan, Situation, StrategySettings
from concept_transfer.training.aligning import align
from concept_transfer.training.choosing import Settings, alternatives, chosen, predicted
from concept_transfer.training.performance import effective, known_at_source
from concept_transfer.training.predictions import (
    DIVERGED,
    NOT_ESTIMABLE,
    OK,
    Predictions,
    record,
)
from concept_transfer.training.recalibrating import recalibrate

NOTHING = np.empty(0, np.int64)


@dataclass(frozen=True)
class Workbench:
    """Who learns: a learner, its settings, and what the replicates of the job are given."""

    learner: Learner
    settings: Any
    context: Context
    replicates: list[int]

    def among(self, places: list[int]) -> Family:
        """The learner at work on the replicates at some places of the block."""
        return self.learner.family(self.settings, self.context.select(places))

    def everyone(self) -> Family:
        return self.among(list(range(len(self.replicates))))


@dataclass(frozen=True)
class HandedOn:
    """The models of a site (None: none could be fitted), and one record a replicate.

    calibration: one a replicate, see `training.calibrating`.
    """

    models: Any
    records: list[dict[str, Any]]
    calibration: list[dict[str, Any] | None] = field(default_factory=list)

    @property
    def diverged(self) -> NDArray[np.bool_]:
        return np.array([record["status"] == DIVERGED for record in self.records])


@dataclass(frozen=True)
class Work:
    """What a cell trains on: a strategy with its settings, the sites, and what a source hands on.

    same: the target's own source models, where they are the cell's models on "all" labels;
    hands_on: the models are for other sites.
    """

    strategy: StrategySettings
    size: str
    training: Training
    target: Site
    source: Site | None = None
    handed_on: HandedOn | None = None
    same: HandedOn | None = None
    hands_on: bool = False


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


def run_cell(bench: Workbench, work: Work) -> tuple[Predictions, FoldFit]:
    """Fit every fold's budget and predict its test encounters; also the last fold's models.

    A replicate whose training labels are of one class is recorded as not estimable; one whose
    training (or source model) diverged as diverged. Neither has probabilities.
    """
    predictions = Predictions(work.target)
    folds = work.target.split.folds
    for fold in folds:
        budget = None
        if STRATEGIES[work.strategy.kind].uses_labels:
            budget = draw_budget(work.target.cohort, fold, work.size, list(bench.context.keys))
        with part(f"fold {fold + 1} of {len(folds)}" if len(folds) > 1 else ""):
            pool = np.concatenate(work.target.split.parts(fold)[:2])
            fitted = fit_fold(bench, work, budget, pool)
        _predict_fold(predictions, bench, work.target, fold, fitted)
    return predictions, fitted


def fit_fold(
    bench: Workbench, work: Work, budget: Budget | None, pool: NDArray[np.int64] = NOTHING
) -> FoldFit:
    """Carry out the strategy's plan on a budget, where the labels allow it.

    The plan for all replicates tells whose labels are of one class; the others then get their own.
    A learner that cross-fits trains on the whole budget, and so does a recalibration.
    pool: rows [n] of the target that may be looked at without their labels.
    """
    drawn, strategy = budget, STRATEGIES[work.strategy.kind]
    options = _options(work)
    if budget is not None and (bench.learner.cross_fits(work.training) or strategy.recalibration):
        budget = budget.joined
    replicates = len(bench.replicates)
    everyone = list(range(replicates))
    plan = _plan(bench, _with(work, options[0]), budget, everyone, pool)
    one_class = _one_class(plan, replicates, bench.context.classes)
    failed = np.zeros(replicates, bool)
    known = work.same if work.size == "all" else None
    if known or strategy.starts_from_source:
        failed = (known or _handed_on(work)).diverged
    status = [
        DIVERGED if bad else NOT_ESTIMABLE if alone else OK
        for bad, alone in zip(failed, one_class, strict=True)
    ]
    places = [i for i, state in enumerate(status) if state == OK]
    epochs, facts = [0] * replicates, [dict[str, Any]() for _ in everyone]
    models, held = None, None
    if places and (known or strategy.adapts or not plan.train):
        given = known or (_handed_on(work) if strategy.starts_from_source else _untaught(bench))
        models, held = _as_given(bench, work, given, budget, places, pool)
        for place in places:
            epochs[place] = given.records[place]["epochs"]
    elif places:
        plans = [plan]
        if places != everyone or len(options) > 1:
            plans = [_plan(bench, _with(work, each), budget, places, pool) for each in options]
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
        facts = [{"source_auroc": said.get("source_auroc")} for said in _handed_on(work).records]
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
        return align(family, models, change, work.source, work.target, pool), None
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
        _prior(bench, work),
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
        own = drawn.select(places) if drawn else _source_budget(work, len(places))
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


def _source_budget(work: Work, replicates: int) -> Budget:
    """The source's encounters, divided as for its own models."""
    assert work.source is not None
    split = work.source.split
    return draw_from(work.source.cohort, split.source_parts(), "all", [0] * replicates)


def _options(work: Work) -> list[Settings]:
    """What the strategy's settings may be; the paper's protocol takes the first."""
    open_ = alternatives(STRATEGIES[work.strategy.kind].choices, work.strategy)
    return open_[:1] if work.training.protocol == "gao2024" else open_


def _with(work: Work, settings: Settings) -> Work:
    return replace(work, strategy=work.strategy.model_copy(update=dict(settings)))


def _source_facts(
    bench: Workbench, own: Part, places: list[int], models: Any, held: NDArray[np.float64] | None
) -> list[dict[str, Any]]:
    """What is known of each replicate's model that learned from a part of the source alone."""
    facts: list[dict[str, Any]] = [{} for _ in bench.replicates]
    areas = known_at_source(bench.among(places), models, own.site, held)
    for place, area in zip(places, areas, strict=True):
        facts[place] = {"source_auroc": area, **effective(own)}
    return facts


def _prior(bench: Workbench, work: Work) -> NDArray[np.float64]:
    """The share of each class among what the source's models were trained on, as they saw it."""
    classes = bench.context.classes
    if work.source is None or work.training.class_weight == "balanced":
        return np.full(classes, 1 / classes)
    train, validation = work.source.split.source_parts()
    if bench.learner.cross_fits(work.training):
        train = np.concatenate([train, validation])
    counts = np.bincount(work.source.labels[train], minlength=classes)
    return np.asarray(counts / counts.sum())


def _plan(
    bench: Workbench,
    work: Work,
    budget: Budget | None,
    places: list[int],
    pool: NDArray[np.int64],
) -> Plan:
    strategy = STRATEGIES[work.strategy.kind]
    models = _handed_on(work).models.select(places) if strategy.starts_from_source else None
    chosen = budget.select(places) if budget else None
    source = work.source if strategy.uses_source else None
    at_source = None
    if source is not None:
        at_source = _source_budget(work, len(places))
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


def _handed_on(work: Work) -> HandedOn:
    assert work.handed_on is not None, f"{work.strategy.kind} needs a source model"
    return work.handed_on


def _untaught(bench: Workbench) -> HandedOn:
    """Models that no label has taught."""
    family = cast(UntaughtFamily, bench.everyone())
    return HandedOn(family.untaught(), [{"epochs": 0} for _ in bench.replicates])


def label_counts(target: Site, rows: Rows | None, bench: Workbench) -> Rows:
    """The same for target rows; zeros where no label was used."""
    classes = bench.context.classes
    if rows is None:
        return np.zeros((len(bench.replicates), classes), np.int64)
    return count_classes(target.cohort, rows, classes)


def _one_class(plan: Plan, replicates: int, classes: int) -> NDArray[np.bool_]:
    """Whether each replicate would train on labels of one class, bool [R]."""
    if not plan.train:
        return np.zeros(replicates, bool)
    counts = np.sum(
        [count_classes(part.site.cohort, part.rows, classes) for part in plan.train], axis=0
    )
    return np.asarray((counts > 0).sum(axis=1) < 2)


def _predict_fold(
    predictions: Predictions, bench: Workbench, target: Site, fold: int, fitted: FoldFit
) -> None:
    """Add the fold's probabilities of encounters that the models had not seen, and its records.

    Those are the encounters to test and, unless the learner cross-fits, to validate on; the
    encounters to train on where it does (`FoldFit.held`), or where no label was used.
    """
    train, validation, test = target.split.parts(fold)
    replicates = len(bench.replicates)
    budget = fitted.budget or Budget(
        *(same_for_all(rows, replicates) for rows in (train, validation))
    )
    held = budget.validation[0] if are_same(budget.validation) else np.unique(budget.validation)
    probability = _predicted(bench, target, fitted, np.concatenate([held, test]))
    at = [np.searchsorted(held, rows) for rows in budget.validation]
    judged: dict[str, tuple[Rows, Sequence[NDArray[np.float64]]]] = {
        "validation": (
            budget.validation,
            [each[places] for each, places in zip(probability, at, strict=True)],
        ),
        "test": (same_for_all(test, replicates), list(probability[:, len(held) :])),
    }
    if fitted.held is not None:
        own = np.full((replicates, *fitted.held.shape[1:]), np.nan)
        own[fitted.places] = fitted.held
        size = budget.train.shape[1]
        judged["validation"] = budget.validation, list(own[:, size:])
        if np.isfinite(fitted.held[:, :size]).any():
            judged["train"] = budget.train, list(own[:, :size])
    elif fitted.budget is None:
        judged["train"] = budget.train, list(_predicted(bench, target, fitted, train))
    for i, replicate in enumerate(bench.replicates):
        for partition, (rows, each) in judged.items():
            predictions.add(replicate, fold, partition, rows[i], each[i])
    predictions.records += fitted.records(bench.replicates, fold)


def _predicted(
    bench: Workbench, target: Site, fitted: FoldFit, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Probabilities [R, n, classes] of rows [n]; NaN where there is no model."""
    probability = np.full((len(bench.replicates), len(rows), bench.context.classes), np.nan)
    if fitted.models is not None:
        family = bench.among(fitted.places)
        probability[fitted.places] = family.predict(fitted.models, target, rows)
    probability[[state != OK for state in fitted.status]] = np.nan
    return probability
