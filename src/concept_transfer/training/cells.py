"""Runs one cell's block of replicates, from sites to predictions; the same for every learner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import (
    Budget,
    Rows,
    are_same,
    draw_budget,
    same_for_all,
)
from concept_transfer.progress import part
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.training.fitting import FoldFit, fit_fold
from concept_transfer.training.predictions import OK, Predictions
from concept_transfer.training.work import Work, Workbench


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
    records = fitted.records(bench.replicates, fold)
    for place, shares in zip(fitted.places, _coverage(bench, target, fitted, test), strict=True):
        records[place] |= shares
    predictions.records += records


def _coverage(
    bench: Workbench, target: Site, fitted: FoldFit, rows: Rows
) -> Sequence[dict[str, float]]:
    """How much of the events of rows [n] each model knows, for its record."""
    learner = bench.learner
    if learner.coverage is None or fitted.models is None:
        return [{} for _ in fitted.places]
    events = target.inputs[learner.reads].select(rows)
    return [each.shares() for each in learner.coverage(fitted.models, events)]


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
