"""Runs one cell's block of replicates, from sites to predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from concept_transfer.cohorts.budget import (
    Budget,
    Rows,
    allow_choice,
    are_same,
    draw_budget,
    positives,
)
from concept_transfer.models.cnn import Weights, predict
from concept_transfer.models.dataset import dataset_of
from concept_transfer.progress import part
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block, fit_plan
from concept_transfer.training.engine import Fit
from concept_transfer.training.predictions import Predictions, record
from concept_transfer.training.source_models import apply_source
from concept_transfer.training.strategies import STRATEGIES

NO_LABELS = np.empty(0, np.int64)


def train_and_apply(
    target: Site,
    kind: str,
    size: str,
    vectors: Tensor,
    block: Block,
    settings: Training,
    source: Site | None = None,
    model: Weights | None = None,
    source_records: list[dict[str, Any]] | None = None,
    source_weight: float = 1.0,
    device: str = "cpu",
) -> Predictions:
    """Every strategy that trains: fit on each fold's budget, predict its test rows.

    model: what `linear` and `full` start from; for `local` the target's own source model, which
    serves as its fit on "all" labels.
    A replicate whose training labels are of one class is recorded as not estimable; one whose
    training (or source model) diverged as diverged. Neither has probabilities.
    """
    if kind == "local" and model is not None:
        if size == "all":
            assert len(target.split.folds) == 1, "its source model has seen every other fold"
            return apply_source(target, model, source_records or [], vectors, block, is_own=True)
        model = None
    predictions = Predictions(target)
    broken = {r["replicate"] for r in source_records or [] if r["status"] == "diverged"}
    folds = len(target.split.folds)
    for fold in target.split.folds:
        budget = draw_budget(target.cohort, fold, size, block.keys)
        found = positives(target.cohort, budget.train)
        pooled = source.labels[source.split.source_parts()[0]] if source is not None else NO_LABELS
        total = budget.train.shape[1] + len(pooled)
        one_class = np.isin(found + pooled.sum(), (0, total))
        status = ["not estimable" if alone else "ok" for alone in one_class]
        if model is not None:
            status = [
                "diverged" if replicate in broken else state
                for replicate, state in zip(block.replicates, status, strict=True)
            ]
        usable = [i for i, state in enumerate(status) if state == "ok"]
        result: Fit | None = None
        if usable:
            chosen = budget.select(usable)
            own_model = model.select(usable) if model is not None else None
            own_vectors = vectors[usable] if vectors.dim() == 3 else vectors
            plan = STRATEGIES[kind](target, chosen, source, own_model, source_weight)
            enough = allow_choice(target.cohort, chosen.train, chosen.validation)
            keys = [block.keys[i] for i in usable]
            with part(f"fold {fold + 1} of {folds}" if folds > 1 else ""):
                result = fit_plan(plan, own_vectors, keys, settings, enough, device)
            for i, diverged in zip(usable, result.diverged, strict=True):
                status[i] = "diverged" if diverged else "ok"
        _collect(predictions, target, fold, block, budget, found, status, usable, result, vectors)
    return predictions


def _collect(
    predictions: Predictions,
    target: Site,
    fold: int,
    block: Block,
    budget: Budget,
    found: Rows,
    status: list[str],
    usable: list[int],
    result: Fit | None,
    vectors: Tensor,
) -> None:
    test = target.split.parts(fold)[2]
    validation = budget.validation
    held = validation[0] if are_same(validation) else np.unique(validation)
    rows = np.concatenate([held, test])
    probability = np.full((len(block.replicates), len(rows)), np.nan)
    if result is not None:
        own_vectors = vectors[usable] if vectors.dim() == 3 else vectors
        fitted = predict(result.weights, own_vectors, dataset_of(target), torch.from_numpy(rows))
        probability[usable] = fitted.numpy()
    for i, replicate in enumerate(block.replicates):
        own = probability[i] if status[i] == "ok" else np.full(len(rows), np.nan)
        places = np.searchsorted(held, validation[i])
        predictions.add(replicate, fold, False, validation[i], own[places])
        predictions.add(replicate, fold, True, test, own[len(held) :])
        epochs = result.epochs[usable.index(i)] if result and i in usable else 0
        sizes = (budget.train.shape[1], validation.shape[1], int(found[i]))
        predictions.records.append(record(replicate, fold, status[i], epochs, *sizes))
