"""Trains the models that a site hands on, and applies them unchanged."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from concept_transfer.cohorts.budget import (
    Budget,
    Rows,
    allow_choice,
    positives,
    same_for_all,
)
from concept_transfer.errors import StudyError
from concept_transfer.models.cnn import Weights, predict
from concept_transfer.models.dataset import dataset_of
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.training.block import Block, fit_plan
from concept_transfer.training.predictions import Predictions, record
from concept_transfer.training.strategies import STRATEGIES
from concept_transfer.training.validation import auroc


def train_source(
    site: Site, vectors: Tensor, block: Block, settings: Training, device: str = "cpu"
) -> tuple[Weights, list[dict[str, Any]]]:
    """Fit the models a source site hands on, and one record a replicate.

    A record says, besides what `record` does, the AUROC on the source's own validation encounters
    (``source_auroc``; None where they hold one class): by it a model can be chosen for a target
    without any of the target's labels. Raises StudyError where the site's training encounters
    hold one class only.
    """
    train, validation = (
        same_for_all(rows, len(block.replicates)) for rows in site.split.source_parts()
    )
    found = int(positives(site.cohort, train)[0])
    if found in (0, train.shape[1]):
        raise StudyError(
            f"site '{site.name}' has {found} positives among its {train.shape[1]} training "
            "encounters; a source model needs both classes"
        )
    plan = STRATEGIES["local"](site, Budget(train, validation), None, None, 1.0)
    enough = allow_choice(site.cohort, train, validation)
    result = fit_plan(plan, vectors, block.keys, settings, enough, device)
    sizes = (train.shape[1], validation.shape[1], found)
    seen = _validation_auroc(site, validation[0], result.weights, vectors)
    records = [
        record(replicate, -1, "diverged" if diverged else "ok", epochs, *sizes)
        | {"source_auroc": area}
        for replicate, diverged, epochs, area in zip(
            block.replicates, result.diverged, result.epochs, seen, strict=True
        )
    ]
    return result.weights, records


def _validation_auroc(
    site: Site, rows: Rows, weights: Weights, vectors: Tensor
) -> list[float | None]:
    """Each replicate's AUROC on rows of its own site; None where they hold one class."""
    held = torch.from_numpy(rows.copy())
    scores = predict(weights, vectors, dataset_of(site), held)
    labels = torch.from_numpy(site.labels[rows]).expand(len(scores), -1)
    return [area if area == area else None for area in auroc(scores, labels).tolist()]


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
            said = record(replicate, fold, status, records[i]["epochs"], *used)
            if not is_own:
                said["source_auroc"] = records[i].get("source_auroc")
            predictions.records.append(said)
    return predictions
