"""Cells of any learner on sites in memory, without files and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from encoder_data import encoders_for

from concept_transfer.learners import LEARNERS
from concept_transfer.learners.learner import Context
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies import STRATEGIES
from concept_transfer.training.block import Block
from concept_transfer.training.cells import run_cell
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.source_models import train_source
from concept_transfer.training.work import HandedOn, Work, Workbench


def workbench(
    block: Block,
    vectors: Any = None,
    learner: str = "cnn",
    tokens: int = 0,
    classes: int = 2,
    **settings: Any,
) -> Workbench:
    """A learner ready for a block; vectors: array or tensor."""
    table = None if vectors is None else np.asarray(vectors)
    size = tokens if table is None else table.shape[-2]
    record = LEARNERS[learner]
    section = record.settings.model_validate({"kind": learner, **settings})
    encoders = encoders_for(learner) * len(block.replicates)
    context = Context(tuple(block.keys), size, classes, table, encoders=encoders)
    return Workbench(record, section, context, block.replicates)


def predict(
    bench: Workbench,
    target: Site,
    strategy: str | Mapping[str, Any],
    size: str,
    training: Training,
    source: Site | None = None,
    handed_on: HandedOn | None = None,
    same: HandedOn | None = None,
) -> Predictions:
    """The predictions of one cell; strategy: its kind, or its settings."""
    settings = {"kind": strategy} if isinstance(strategy, str) else dict(strategy)
    section = STRATEGIES[settings["kind"]].settings.model_validate(settings)
    work = Work(section, size, training, target, source, handed_on, same)
    return run_cell(bench, work)[0]


def from_source(
    bench: Workbench,
    target: Site,
    strategy: str | Mapping[str, Any],
    size: str,
    training: Training,
    source: Site,
) -> Predictions:
    """The same with models that the source hands on."""
    handed_on = train_source(source, bench, training)
    return predict(bench, target, strategy, size, training, source, handed_on)
