"""Runs a source model, or one cell's block of replicates, from sites to predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.models.cnn import Weights, predict
from concept_transfer.models.dataset import dataset_of
from concept_transfer.sites.site import Site
from concept_transfer.study import Training
from concept_transfer.training.budget import (
    MIN_POSITIVES,
    Budget,
    Rows,
    draw_budget,
    is_shared,
    positives,
    replicate_key,
    share,
)
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import Fit, fit
from concept_transfer.training.predictions import Predictions, record
from concept_transfer.training.strategies import STRATEGIES, Plan


@dataclass(frozen=True)
class Block:
    """The replicates of one job and what chance gives them."""

    seed: int
    replicates: list[int]

    @property
    def keys(self) -> list[int]:
        return [replicate_key(self.seed, replicate) for replicate in self.replicates]

    def vectors(self, table: EmbeddingTable, vocabulary: Vocabulary) -> Tensor:
        """[tokens, width], or [R, tokens, width] for controls, which every replicate redraws."""
        if table.card.control is None:
            return torch.from_numpy(table.vectors)
        drawn = [table.vectors_for(r, self.seed, vocabulary) for r in self.replicates]
        return torch.from_numpy(np.stack(drawn))


def train_source(
    site: Site, vectors: Tensor, block: Block, settings: Training, device: str = "cpu"
) -> tuple[Weights, list[dict[str, Any]]]:
    """Fit the models a source site hands on, and one record a replicate.

    Raises StudyError where the site's training encounters hold one class only.
    """
    train, validation = (share(rows, len(block.replicates)) for rows in site.split.source_parts())
    found = int(positives(site, train)[0])
    if found in (0, train.shape[1]):
        raise StudyError(
            f"site '{site.name}' has {found} positives among its {train.shape[1]} training "
            "encounters; a source model needs both classes"
        )
    plan = STRATEGIES["local"](site, Budget(train, validation), None, None, 1.0)
    enough = positives(site, train) + positives(site, validation) >= MIN_POSITIVES
    result = _fit(plan, vectors, block.keys, settings, enough, device)
    sizes = (train.shape[1], validation.shape[1], found)
    records = [
        record(replicate, -1, "diverged" if diverged else "ok", epochs, *sizes)
        for replicate, diverged, epochs in zip(
            block.replicates, result.diverged, result.epochs, strict=True
        )
    ]
    return result.weights, records


def apply_source(
    target: Site,
    model: Weights,
    records: list[dict[str, Any]],
    vectors: Tensor,
    block: Block,
    is_own: bool = False,
) -> Predictions:
    """A source model, unchanged, on the target's encounters.

    From another site that is strategy `direct`, which uses no target label. The target's own
    (is_own) is strategy `local` with all target labels, where one fold tests.
    """
    predictions = Predictions(target)
    dataset = dataset_of(target)
    every = torch.arange(len(dataset))
    probability = predict(model, vectors, dataset, every).numpy()
    counts = ("train", "validation", "positives")
    for fold in target.split.folds:
        _, validation, test = target.split.parts(fold)
        for i, replicate in enumerate(block.replicates):
            status = records[i]["status"]
            own = probability[i] if status == "ok" else np.full(len(dataset), np.nan)
            predictions.add(replicate, False, validation, own[validation])
            predictions.add(replicate, True, test, own[test])
            used = [records[i][name] if is_own else 0 for name in counts]
            predictions.records.append(
                record(replicate, fold, status, records[i]["epochs"], *used)
            )
    return predictions


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
    A replicate whose draw holds one class only is recorded as not estimable; one whose training
    (or source model) diverged as diverged. Neither has probabilities.
    """
    if kind == "local" and model is not None:
        if size == "all":
            return apply_source(target, model, source_records or [], vectors, block, is_own=True)
        model = None
    predictions = Predictions(target)
    broken = {r["replicate"] for r in source_records or [] if r["status"] == "diverged"}
    for fold in target.split.folds:
        budget = draw_budget(target, fold, size, block.keys)
        found = positives(target, budget.train)
        status = [
            "diverged"
            if model is not None and replicate in broken
            else "not estimable"
            if kind != "pooled" and int(count) in (0, budget.train.shape[1])
            else "ok"
            for replicate, count in zip(block.replicates, found, strict=True)
        ]
        usable = [i for i, state in enumerate(status) if state == "ok"]
        result: Fit | None = None
        if usable:
            chosen = budget.select(usable)
            own_model = model.select(usable) if model is not None else None
            own_vectors = vectors[usable] if vectors.dim() == 3 else vectors
            plan = STRATEGIES[kind](target, chosen, source, own_model, source_weight)
            enough = found[usable] + positives(target, chosen.validation) >= MIN_POSITIVES
            keys = [block.keys[i] for i in usable]
            result = _fit(plan, own_vectors, keys, settings, enough, device)
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
    pool = validation[0] if is_shared(validation) else np.unique(validation)
    rows = np.concatenate([pool, test])
    probability = np.full((len(block.replicates), len(rows)), np.nan)
    if result is not None:
        own_vectors = vectors[usable] if vectors.dim() == 3 else vectors
        fitted = predict(result.weights, own_vectors, dataset_of(target), torch.from_numpy(rows))
        probability[usable] = fitted.numpy()
    for i, replicate in enumerate(block.replicates):
        own = probability[i] if status[i] == "ok" else np.full(len(rows), np.nan)
        places = np.searchsorted(pool, validation[i])
        predictions.add(replicate, False, validation[i], own[places])
        predictions.add(replicate, True, test, own[len(pool) :])
        epochs = result.epochs[usable.index(i)] if result and i in usable else 0
        sizes = (budget.train.shape[1], validation.shape[1], int(found[i]))
        predictions.records.append(record(replicate, fold, status[i], epochs, *sizes))


def _fit(
    plan: Plan,
    vectors: Tensor,
    keys: list[int],
    settings: Training,
    enough: NDArray[np.bool_],
    device: str,
) -> Fit:
    own_keys = torch.tensor(keys, device=device)
    start = plan.start or initial_weights(own_keys, vectors.shape[-1], settings.filters)
    result = fit(
        plan.dataset.to(device),
        vectors.to(device),
        plan.train.to(device),
        plan.validation.to(device),
        own_keys,
        start.to(device),
        settings,
        [bool(e) and plan.validation.shape[1] > 0 for e in enough],
        plan.frozen,
    )
    return Fit(result.weights.to("cpu"), result.epochs, result.diverged)
