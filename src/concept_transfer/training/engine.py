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
    trainer = Trainer(dataset, vectors, train, keys, start, settings, frozen, validation)
    held = Validation(dataset, validation if validation.shape[1] else train)
    schedule = Schedule(settings, early_stopping)
    kept = trainer.parameters.clone()
    active = torch.arange(len(keys))
    while len(active):
        for _ in range(settings.iterations or trainer.batches.a_pass):
            trainer.step()
        scores = held.scores(
            trainer.body, trainer.body_parameters, *trainer.linear(), settings.monitor
        )
        scores[~trainer.parameters.isfinite().all(1).cpu()] = torch.nan
        better, going = schedule.after_epoch(active, scores)
        kept[active[better].to(kept.device)] = trainer.parameters[better.to(kept.device)]
        if not bool(going.all()):
            active, keep = active[going], going.to(kept.device)
            trainer.select(keep)
            held.select(keep)
    return Fit(trainer.weights(kept), schedule.kept_epoch.tolist(), schedule.diverged.tolist())


class Trainer:
    """R replicates in training: their parameters and the steps that change them."""

    def __init__(
        self,
        dataset: Dataset,
        vectors: Tensor,
        train: Tensor,
        keys: Tensor,
        start: Weights,
        settings: Training,
        frozen: bool,
        validation: Tensor,
    ) -> None:
        """See `fit`."""
        self.start, self.settings = start, settings
        self.batches = Batches(dataset, train, keys, settings)
        self.body = self.whole = _body(
            dataset, vectors, torch.cat([_distinct(train), _distinct(validation)]), start, settings, frozen
        )
        linear = start.linear.mT.flatten(1)
        self.parameters = torch.cat([self.body.start(), linear, start.linear_bias], 1)
        self.optimizer = optimizer_for(self.parameters, settings)
        self.gradient = torch.empty_like(self.parameters)
        self.steps = 0

    @property
    def body_parameters(self) -> Tensor:
        return self.parameters[:, : self.body.size]

    def step(self) -> Tensor:
        """Take one step; margins [R, batch, 1] and the batch as they were before it."""
        batch = self.batches.take(self.steps, self.body, self.parameters.dtype)
        margin = self._fill_gradient(batch)
        self.optimizer.step(self.parameters, self.gradient)
        self.steps += 1
        return margin

    def linear(self) -> tuple[Tensor, Tensor]:
        """Weight [R, filters, 1] and bias [R, 1, 1] of the margin, the positive class's logit."""
        layer, bias = _linear(self.parameters, self.body.size)
        return (layer[:, 1] - layer[:, 0])[..., None], (bias[:, 1:] - bias[:, :1])[..., None]

    def select(self, keep: Tensor) -> None:
        """Go on with some of the replicates."""
        self.parameters, self.body = self.parameters[keep], self.body.select(keep)
        self.gradient = torch.empty_like(self.parameters)
        self.batches.select(keep)
        self.optimizer.select(keep)

    def weights(self, parameters: Tensor) -> Weights:
        """Parameters of all replicates the trainer began with, as weights."""
        body = self.whole
        layer, bias = _linear(parameters, body.size)
        convolution, filter_bias = self.start.convolution, self.start.convolution_bias
        if isinstance(body, TrainedBody):
            convolution, filter_bias = body.weights(parameters[:, : body.size])
        return Weights(convolution, filter_bias, layer.mT, bias)

    def _fill_gradient(self, batch: Batch) -> Tensor:
        """The gradient of the weighted mean cross-entropy of one batch; returns the margins."""
        size = self.body.size
        features = self.body.features(self.body_parameters, batch.inputs)
        dropped = features if batch.scale is None else features * batch.scale
        weight, bias = self.linear()
        margin = torch.baddbmm(bias, dropped, weight)
        at_margin = (margin.sigmoid() - batch.labels) * batch.shares
        layer_gradient, bias_gradient = _linear(self.gradient, size)
        torch.bmm(at_margin.mT, dropped, out=layer_gradient[:, 1:])
        torch.neg(layer_gradient[:, 1], out=layer_gradient[:, 0])
        torch.sum(at_margin[..., 0], 1, out=bias_gradient[:, 1])
        torch.neg(bias_gradient[:, 1], out=bias_gradient[:, 0])
        if size:
            at_features = at_margin * (weight.mT / (1 - self.settings.dropout))
            at_pooled = torch.ops.aten.threshold_backward(at_features, dropped, 0)
            self.body.gradient(at_pooled, self.gradient[:, :size])
        return margin


def _body(
    dataset: Dataset, vectors: Tensor, rows: Tensor, start: Weights, settings: Training, frozen: bool
) -> Body:
    vocabulary = vectors.shape[-2]
    if frozen:
        own_row = torch.arange(vocabulary, dtype=torch.int32, device=rows.device)
        stacker = Stacker(dataset, own_row, vocabulary, compact=False)
        return FrozenBody.of(dataset, stacker, vectors, start, rows)
    used = dataset.used_tokens(vocabulary)
    table_rows = (used.cumsum(0, dtype=torch.int32) - 1).clamp_(min=0)
    vectors = vectors if bool(used.all()) else vectors[..., used, :]
    stacker = Stacker(dataset, table_rows, vectors.shape[-2], compact=True)
    convolution = convolution_for(vectors, start.convolution, settings.optimizer)
    return TrainedBody(stacker, convolution, start.convolution_bias)


def _distinct(rows: Tensor) -> Tensor:
    return (rows[:1] if rows.stride(0) == 0 else rows).flatten()


def _linear(parameters: Tensor, body_size: int) -> tuple[Tensor, Tensor]:
    """Views of the linear layer [R, 2, filters] and its bias [R, 2]."""
    return parameters[:, body_size:-2].unflatten(1, (2, -1)), parameters[:, -2:]
