"""Trains the models that a site hands on, and applies them unchanged."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from concept_transfer.errors import StudyError
from concept_transfer.models.cnn import Weights, predict
from concept_transfer.models.dataset import dataset_of
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block, fit_plan
from concept_transfer.training.budget import MIN_POSITIVES, Budget, positives, same_for_all
from concept_transfer.training.predictions import Predictions, record
from concept_transfer.training.strategies import STRATEGIES


def train_source(
    site: Site, vectors: Tensor, block: Block, settings: Training, device: str = "cpu"
) -> tuple[Weights, list[dict[str, Any]]]:
    """Fit the models a source site hands on, and one record a replicate.

    Raises StudyError where the site's training encounters hold one class only.
    """
    train, validation = (
        same_for_all(rows, len(block.replicates)) for rows in site.split.source_parts()
    )
    found = int(positives(site, train)[0])
    if found in (0, train.shape[1]):
        raise StudyError(
            f"site '{site.name}' has {found} positives among its {train.shape[1]} training "
            "encounters; a source model needs both classes"
        )
    plan = STRATEGIES["local"](site, Budget(train, validation), None, None, 1.0)
    enough = positives(site, train) + positives(site, validation) >= MIN_POSITIVES
    result = fit_plan(plan, vectors, block.keys, settings, enough, device)
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
            predictions.add(replicate, fold, False, validation, own[validation])
            predictions.add(replicate, fold, True, test, own[test])
            used = [records[i][name] if is_own else 0 for name in counts]
            predictions.records.append(record(replicate, fold, status, records[i]["epochs"], *used))
    return predictions
