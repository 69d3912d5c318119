"""Fits many replicates of the concept CNN at once, each exactly as a plain model would be.

A step projects the tokens, takes each encounter's maximum, and does two small products
(`trainer.py`); `convolution.py` says when a step does not depend on the embedding's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights, by_pooling
from concept_transfer.models.dataset import Dataset
from concept_transfer.progress import Progress
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import Decay
from concept_transfer.training.adversary import Domains, Opponent
from concept_transfer.training.batches import Batches
from concept_transfer.training.bodies import Body, FrozenBody, SummedBody, TrainedBody
from concept_transfer.training.convolution import (
    Convolution,
    LowRankConvolution,
    convolution_for,
)
from concept_transfer.training.draws import low_rank_basis
from concept_transfer.training.folds import CrossValidation, Folds
from concept_transfer.training.heads import head_for
from concept_transfer.training.optimizers import TOWARDS_ZERO
from concept_transfer.training.schedule import Schedule
from concept_transfer.training.stacking import Stacker
from concept_transfer.training.trainer import Trainer
from concept_transfer.training.validation import Validation


@dataclass(frozen=True)
class Tuning:
    """What training does with the weights it starts from.

    frozen: train the linear layer alone (its features are then computed once).
    start_competes: early stopping keeps the given weights where no epoch validates better.
    body_rate: learning rate of the convolution, relative to the linear layer's.
    rank: train an update of this rank to the convolution.
    domains: what an opponent tells apart (`adversary.Opponent`).
    """

    frozen: bool = False
    start_competes: bool = False
    decay: Decay = TOWARDS_ZERO
    body_rate: float = 1.0
    rank: int | None = None
    domains: Domains | None = None


ALL_WEIGHTS = Tuning()


@dataclass(frozen=True)
class Fit:
    """Trained weights of R replicates, the epoch each was kept from (0: the start), and which
    diverged.

    scores: what that epoch was judged by (`settings.monitor`; lower is better), infinite where
    no epoch was.
    """

    weights: Weights
    epochs: list[int]
    diverged: list[bool]
    scores: list[float]


def fit(
    dataset: Dataset,
    vectors: Tensor,
    train: Tensor,
    validation: Tensor,
    keys: Tensor,
    start: Weights,
    settings: Training,
    early_stopping: Sequence[bool],
    tuning: Tuning = ALL_WEIGHTS,
    folds: Folds | None = None,
) -> Fit:
    """Train R replicates from the given weights, which say the number of classes and the pooling,
    one for all.

    dataset: the encounters that row numbers refer to.
    vectors: [tokens, width], or [R, tokens, width] where replicates have tables of their own.
    train, validation: int64 [R, n] and [R, m], each replicate's encounters; rows that all
    replicates share may be expanded from one.
    keys: int64 [R], see `budget.replicate_key`.
    early_stopping: for each replicate; see `schedule.Schedule`.
    folds: where the R are the networks of fewer replicates, see there; they judge in place of
    `validation`.

    A replicate whose validation loss or weights stop being finite is stopped and returned as
    diverged, with the weights of its best validated epoch (the start, if there is none).
    """
    held = validation if validation.shape[1] else train
    trained, together = None, 1
    judge = Validation(dataset, held, settings.monitor)
    if folds is not None:
        trained, together = folds.trained, folds.networks
        judge = CrossValidation(dataset, folds, settings.monitor)
    used = torch.cat([_distinct(train), _distinct(judge.rows)])
    body = body_for(dataset, vectors, used, start, settings.optimizer, keys, tuning)
    batches = Batches(dataset, train, keys, settings, start.classes, trained, together)
    opponent = None
    if tuning.domains is not None:
        opponent = Opponent(dataset, tuning.domains, keys, settings, body.filters)
    trainer = Trainer(body, batches, start, settings, tuning.decay, tuning.body_rate, opponent)
    start_scores = judge.scores(trainer) if tuning.start_competes else None
    schedule = Schedule(settings, early_stopping, start_scores, together)
    kept = trainer.parameters.clone()
    active = torch.arange(len(keys))
    progress = Progress("epochs", *_most_epochs(settings, early_stopping))
    while len(active):
        for _ in range(settings.epoch_length(batches.a_pass)):
            trainer.step()
        scores = judge.scores(trainer)
        scores[~trainer.parameters.isfinite().all(1).cpu()] = torch.nan
        better, going = schedule.after_epoch(active, scores)
        kept[active[better].to(kept.device)] = trainer.parameters[better.to(kept.device)]
        if not bool(going.all()):
            active, keep = active[going], going.to(kept.device)
            trainer.select(keep)
            judge.select(keep)
        progress.advance()
    weights = trained_weights(body, kept, start)
    return Fit(
        weights, schedule.kept_epoch.tolist(), schedule.diverged.tolist(), schedule.best.tolist()
    )


def trained_weights(body: Body, parameters: Tensor, start: Weights) -> Weights:
    """Parameters [R, size] of all the replicates a body began with, as weights."""
    layer, bias = head_for(body.size, body.filters, start.classes).layer(parameters)
    convolution, filter_bias = start.convolution, start.convolution_bias
    if isinstance(body, TrainedBody):
        convolution, filter_bias = body.weights(parameters)
    return Weights(convolution, filter_bias, layer.mT, bias, start.pooling)


def body_for(
    dataset: Dataset,
    vectors: Tensor,
    rows: Tensor,
    start: Weights,
    optimizer: str,
    keys: Tensor,
    tuning: Tuning = ALL_WEIGHTS,
) -> Body:
    """What turns encounters into features; rows: int64, all that will be asked for."""
    vocabulary, ((pooling, _),) = vectors.shape[-2], by_pooling(start)
    if tuning.frozen:
        stacker = Stacker(dataset, None, vocabulary, pooling != "max")
        return FrozenBody.of(dataset, stacker, vectors, start, rows, pooling)
    used = dataset.used_tokens(vocabulary)
    table_rows = None
    if not bool(used.all()):
        table_rows, vectors = used.cumsum(0, dtype=torch.int32) - 1, vectors[..., used, :]
    convolution: Convolution
    if tuning.rank is None:
        convolution = convolution_for(vectors, start.convolution, optimizer)
    else:
        basis = low_rank_basis(keys, vectors.shape[-1], tuning.rank, start.convolution.dtype)
        convolution = LowRankConvolution.of(vectors, start.convolution, basis)
    stacker = Stacker(dataset, table_rows, convolution.tokens, pooling != "max")
    if pooling == "max":
        return TrainedBody(stacker, convolution, start.convolution_bias)
    return SummedBody(stacker, convolution, start.convolution_bias, pooling)


def _most_epochs(settings: Training, early_stopping: Sequence[bool]) -> tuple[int, bool]:
    """How many epochs the longest replicate trains, and whether it may stop before."""
    early = any(early_stopping)
    fixed = 0 if all(early_stopping) else settings.fixed_epochs
    most = max(settings.epochs if early else 0, fixed)
    return most, settings.patience is not None and most > fixed


def _distinct(rows: Tensor) -> Tensor:
    return (rows[:1] if rows.stride(0) == 0 else rows).flatten()
