"""Runs one cell's block of replicates, from sites to predictions; the same for every learner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    same_for_all,
)
from concept_transfer.cohorts.cross_fitting import fold_numbers, folds_of_budget
from concept_transfer.learners.learner import (
    Context,
    CrossFittingFamily,
    Family,
    Fitted,
    Learner,
    ValidatedFamily,
)
from concept_transfer.progress import part
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.strategies.strategy import Plan, Situation, StrategySettings
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
    """The models of a site (None: none could be fitted), and one record a replicate."""

    models: Any
    records: list[dict[str, Any]]

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
    models that had not seen them (None unless the learner cross-fits, or models are recalibrated).
    """

    models: Any
    places: list[int]
    status: list[str]
    epochs: list[int]
    labels: Rows
    budget: Budget | None
    held: NDArray[np.float64] | None = None
    source_auroc: list[float | None] = field(default_factory=list)

    def records(self, replicates: list[int], fold: int = -1) -> list[dict[str, Any]]:
        """What became of each replicate; fold -1 is no fold of a split."""
        train, validation = 0, 0
        if self.budget is not None:
            train, validation = self.budget.train.shape[1], self.budget.validation.shape[1]
        if self.held is not None:
            train, validation = train + validation, 0
        said = [
            record(replicate, fold, status, epochs, train, validation, labels)
            for replicate, status, epochs, labels in zip(
                replicates, self.status, self.epochs, self.labels, strict=True
            )
        ]
        if self.source_auroc:
            for one, area in zip(said, self.source_auroc, strict=True):
                one["source_auroc"] = area
        return said


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
    cross_fits = bench.learner.cross_fits(work.training)
    if budget is not None and (cross_fits or strategy.recalibration):
        budget = budget.joined
    replicates = len(bench.replicates)
    everyone = list(range(replicates))
    plan = _plan(work, budget, everyone)
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
    fitted, held = _fit(bench, work, drawn, budget, places, known, pool)
    epochs = [0] * replicates
    if fitted:
        for place, epoch, diverged in zip(places, fitted.epochs, fitted.diverged, strict=True):
            status[place] = DIVERGED if diverged else OK
            epochs[place] = epoch
    unchanged = _handed_on(work).records if not plan.train else []
    return FoldFit(
        fitted.models if fitted else None,
        places,
        status,
        epochs,
        label_counts(work.target, budget.train if budget else None, bench),
        drawn,
        held,
        [said.get("source_auroc") for said in unchanged],
    )


def _fit(
    bench: Workbench,
    work: Work,
    drawn: Budget | None,
    budget: Budget | None,
    places: list[int],
    known: HandedOn | None,
    pool: NDArray[np.int64],
) -> tuple[Fitted | None, NDArray[np.float64] | None]:
    """The models of the replicates at some places, trained or taken as they are, and `held`.

    drawn: the budget; budget: what of it trains and validates.
    """
    if not places:
        return None, None
    plan = _plan(work, budget, places)
    recalibration = STRATEGIES[work.strategy.kind].recalibration
    if known or recalibration or not plan.train:
        given = known or _handed_on(work)
        epochs = [given.records[place]["epochs"] for place in places]
        models, held = given.models.select(places), None
        if recalibration:
            rows = plan.train[0].rows if plan.train else same_for_all(pool, len(places))
            models, held = recalibrate(
                bench.among(places),
                models,
                partial(recalibration, work.strategy),
                work.target,
                rows,
                None if budget is None else fold_numbers(work.target.cohort, rows),
                _prior(bench, work),
            )
        return Fitted(models, epochs, [False] * len(places)), held
    assert budget is not None
    assert drawn is not None
    family, cohort, learner = bench.among(places), work.target.cohort, bench.learner
    if learner.cross_fits(work.training):
        number = learner.folds(budget.train.shape[1], work.hands_on)
        folds = folds_of_budget(cohort, drawn.select(places), number)
        crossed = cast(CrossFittingFamily, family).cross_fit(plan, work.training, folds)
        return crossed.fitted, crossed.held
    choose = allow_choice(cohort, budget.select(places))
    return cast(ValidatedFamily, family).fit(plan, work.training, choose), None


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


def _plan(work: Work, budget: Budget | None, places: list[int]) -> Plan:
    strategy = STRATEGIES[work.strategy.kind]
    models = _handed_on(work).models.select(places) if strategy.starts_from_source else None
    chosen = budget.select(places) if budget else None
    source = work.source if strategy.uses_source else None
    return strategy.plan(Situation(work.strategy, work.target, chosen, source, models))


def _handed_on(work: Work) -> HandedOn:
    assert work.handed_on is not None, f"{work.strategy.kind} needs a source model"
    return work.handed_on


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
