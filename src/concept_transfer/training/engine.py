"""Fits many replicates of the concept CNN at once, each exactly as a plain model would be.

All trainable numbers of a replicate are one row of a flat tensor: first the body (the
convolution in one of the coordinate systems of `convolution.py` and its bias, or nothing where
it is frozen), then the linear layer. Gradients are written by hand; a step projects the tokens,
takes each encounter's maximum, and does two small products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights
from concept_transfer.models.dataset import Dataset
from concept_transfer.study import Training
from concept_transfer.training.batches import Batch, Batches
from concept_transfer.training.bodies import Body, FrozenBody, TrainedBody
from concept_transfer.training.convolution import convolution_for
from concept_transfer.training.linear import linear_layer, margins
from concept_transfer.training.optimizers import optimizer_for
from concept_transfer.training.schedule import Schedule
from concept_transfer.training.stacking import Stacker
from concept_transfer.training.validation import Validation


@dataclass(frozen=True)
class Fit:
    """Trained weights of R replicates, the epoch each was kept from, and which diverged."""

    weights: Weights
    epochs: list[int]
    diverged: list[bool]


def fit(
    dataset: Dataset,
    vectors: Tensor,
    train: Tensor,
    validation: Tensor,
    keys: Tensor,
    start: Weights,
    settings: Training,
    early_stopping: Sequence[bool],
    frozen: bool = False,
) -> Fit:
    """Train R replicates from the given weights.

    dataset: the encounters that row numbers refer to.
    vectors: [tokens, width], or [R, tokens, width] where replicates have tables of their own.
    train, validation: int64 [R, n] and [R, m], each replicate's encounters; rows that all
    replicates share may be expanded from one.
    keys: int64 [R], see `budget.replicate_key`.
    early_stopping: for each replicate; see `schedule.Schedule`.
    frozen: train the linear layer alone (its features are then computed once).

    A replicate whose validation loss or weights stop being finite is stopped and returned as
    diverged, with the last weights it validated.
    """
    used = torch.cat([_distinct(train), _distinct(validation)])
    body = body_for(dataset, vectors, used, start, settings.optimizer, frozen)
    trainer = Trainer(body, Batches(dataset, train, keys, settings), start, settings)
    held = validation if validation.shape[1] else train
    judge = Validation(dataset, held, settings.monitor)
    schedule = Schedule(settings, early_stopping)
    kept = trainer.parameters.clone()
    active = torch.arange(len(keys))
    while len(active):
        for _ in range(settings.iterations or trainer.batches.a_pass):
            trainer.step()
        scores = judge.scores(trainer.body, trainer.parameters)
        scores[~trainer.parameters.isfinite().all(1).cpu()] = torch.nan
        better, going = schedule.after_epoch(active, scores)
        kept[active[better].to(kept.device)] = trainer.parameters[better.to(kept.device)]
        if not bool(going.all()):
            active, keep = active[going], going.to(kept.device)
            trainer.select(keep)
            judge.select(keep)
    weights = trained_weights(body, kept, start)
    return Fit(weights, schedule.kept_epoch.tolist(), schedule.diverged.tolist())


class Trainer:
    """R replicates in training: their parameters and the steps that change them."""

    def __init__(self, body: Body, batches: Batches, start: Weights, settings: Training) -> None:
        self.body, self.batches, self.dropout = body, batches, settings.dropout
        layer = start.linear.mT.flatten(1)
        self.parameters = torch.cat([body.start(), layer, start.linear_bias], 1)
        self.optimizer = optimizer_for(self.parameters, settings)
        self.gradient = torch.empty_like(self.parameters)
        self.steps = 0

    def step(self) -> Tensor:
        """Take one step; returns the batch's margins [R, batch, 1] before it."""
        batch = self.batches.take(self.steps, self.body, self.parameters.dtype)
        margin = self._fill_gradient(batch)
        self.optimizer.step(self.parameters, self.gradient)
        self.steps += 1
        return margin

    def select(self, keep: Tensor) -> None:
        """Go on with some of the replicates."""
        self.parameters, self.body = self.parameters[keep], self.body.select(keep)
        self.gradient = torch.empty_like(self.parameters)
        self.batches.select(keep)
        self.optimizer.select(keep)

    def _fill_gradient(self, batch: Batch) -> Tensor:
        """The gradient of the weighted mean cross-entropy of one batch; returns the margins."""
        size = self.body.size
        layer, bias = linear_layer(self.parameters, size)
        features = self.body.features(self.parameters[:, :size], batch.inputs)
        dropped = features if batch.scale is None else features * batch.scale
        margin = margins(dropped, layer, bias)
        at_margin = (margin.sigmoid() - batch.labels).mul_(batch.shares)
        layer_gradient, bias_gradient = linear_layer(self.gradient, size)
        torch.sum(at_margin * dropped, 1, out=layer_gradient[:, 1])
        torch.neg(layer_gradient[:, 1], out=layer_gradient[:, 0])
        torch.sum(at_margin, 1, out=bias_gradient[:, 1:])
        torch.neg(bias_gradient[:, 1], out=bias_gradient[:, 0])
        if size:
            slope = (layer[:, 1:] - layer[:, :1]).mul_(1 / (1 - self.dropout))
            at_pooled = torch.ops.aten.threshold_backward(at_margin * slope, dropped, 0)
            self.body.gradient(at_pooled, self.gradient[:, :size])
        return margin

    def select(self, keep: Tensor) -> None:
        """Go on with some of the replicates."""
        self.parameters, self.body = self.parameters[keep], self.body.select(keep)
        self.gradient = torch.empty_like(self.parameters)
        self.batches.select(keep)
        self.optimizer.select(keep)

    def _fill_gradient(self, batch: Batch) -> Tensor:
        """The gradient of the weighted mean cross-entropy of one batch; returns the margins."""
        size = self.body.size
        layer, bias = linear_layer(self.parameters, size)
        features = self.body.features(self.parameters[:, :size], batch.inputs)
        dropped = features if batch.scale is None else features * batch.scale
        margin = margins(dropped, layer, bias)
        at_margin = (margin.sigmoid() - batch.labels).mul_(batch.shares)
        at_logits = torch.cat([-at_margin, at_margin], 2)
        layer_gradient, bias_gradient = linear_layer(self.gradient, size)
        torch.bmm(at_logits.mT, dropped, out=layer_gradient)
        torch.sum(at_logits, 1, out=bias_gradient)
        if size:
            slope = (layer[:, 1:] - layer[:, :1]).mul_(1 / (1 - self.dropout))
            at_pooled = torch.ops.aten.threshold_backward(at_margin * slope, dropped, 0)
            self.body.gradient(at_pooled, self.gradient[:, :size])
        return margin


def trained_weights(body: Body, parameters: Tensor, start: Weights) -> Weights:
    """Parameters [R, size] of all the replicates a body began with, as weights."""
    layer, bias = linear_layer(parameters, body.size)
    convolution, filter_bias = start.convolution, start.convolution_bias
    if isinstance(body, TrainedBody):
        convolution, filter_bias = body.weights(parameters[:, : body.size])
    return Weights(convolution, filter_bias, layer.mT, bias)


def body_for(
    dataset: Dataset, vectors: Tensor, rows: Tensor, start: Weights, optimizer: str, frozen: bool
) -> Body:
    """What turns encounters into features; rows: int64, all that will be asked for."""
    vocabulary = vectors.shape[-2]
    if frozen:
        return FrozenBody.of(dataset, Stacker(dataset, None, vocabulary), vectors, start, rows)
    used = dataset.used_tokens(vocabulary)
    table_rows = None
    if not bool(used.all()):
        table_rows, vectors = used.cumsum(0, dtype=torch.int32) - 1, vectors[..., used, :]
    convolution = convolution_for(vectors, start.convolution, optimizer)
    stacker = Stacker(dataset, table_rows, convolution.tokens)
    return TrainedBody(stacker, convolution, start.convolution_bias)


def _distinct(rows: Tensor) -> Tensor:
    return (rows[:1] if rows.stride(0) == 0 else rows).flatten()
