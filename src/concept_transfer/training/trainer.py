"""Steps of R replicates side by side, with gradients written by hand.

All trainable numbers of a replicate are one row of a flat tensor: first the body (the
convolution in one of the coordinate systems of `convolution.py` and its bias, or nothing where
it is frozen), then the linear layer, and last that of an opponent, if there is one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import Decay
from concept_transfer.training.adversary import Opponent
from concept_transfer.training.batches import Batch, Batches
from concept_transfer.training.bodies import Body
from concept_transfer.training.heads import head_for
from concept_transfer.training.optimizers import TOWARDS_ZERO, optimizer_for

ROW_MULTIPLE = 64  # numbers: vectorised code then rounds every replicate's row alike


class Trainer:
    """R replicates in training: their parameters [R, size] and the steps that change them."""

    def __init__(
        self,
        body: Body,
        batches: Batches,
        start: Weights,
        settings: Training,
        decay: Decay = TOWARDS_ZERO,
        body_rate: float = 1.0,
        opponent: Opponent | None = None,
    ) -> None:
        """body_rate: learning rate of the body, relative to the linear layer's."""
        self.body, self.batches, self.dropout = body, batches, settings.dropout
        self.head = head_for(body.size, body.filters, start.classes)
        layer = start.linear.mT.flatten(1)
        parameters = torch.cat([body.start(), layer, start.linear_bias], 1)
        self.opponent, self.own = opponent, parameters.shape[1]
        if opponent is not None:
            parameters = torch.cat([parameters, opponent.start(parameters.dtype)], 1)
        filling = -parameters.shape[1] % ROW_MULTIPLE
        self.parameters = torch.nn.functional.pad(parameters, (0, filling))
        self.gradient = torch.zeros_like(self.parameters)
        rate = settings.learning_rate
        assert not isinstance(rate, list), "`Training.candidates` makes it a number"
        rates = [(slice(None), rate)]
        if body_rate != 1:
            rates = [(slice(body.size), rate * body_rate), (slice(body.size, None), rate)]
        self.optimizer = optimizer_for(self.parameters, settings, decay, rates)
        self.steps = 0
        epochs = min(settings.min_epochs, settings.epochs)
        self.growing = epochs * settings.epoch_length(batches.a_pass)

    def step(self) -> Tensor:
        """Take one step; returns the batch's scores (`heads.Head`) before it."""
        batch = self.batches.take(self.steps, self.body, self.parameters.dtype)
        scores = self._fill_gradient(batch)
        if self.opponent is not None:
            progress = self.steps / self.growing
            given = self.body, self.parameters, self.gradient
            self.opponent.oppose(*given, self.own, self.steps, progress)
        self.optimizer.step(self.parameters, self.gradient)
        self.steps += 1
        return scores

    def select(self, keep: Tensor) -> None:
        """Go on with some of the replicates."""
        self.parameters, self.body = self.parameters[keep], self.body.select(keep)
        self.gradient = torch.zeros_like(self.parameters)
        self.batches.select(keep)
        if self.opponent is not None:
            self.opponent.select(keep)
        self.optimizer.select(keep)

    def _fill_gradient(self, batch: Batch) -> Tensor:
        """The gradient of the weighted mean cross-entropy of one batch; returns the scores."""
        features = self.body.features(self.parameters, batch.inputs)
        dropped = features if batch.scale is None else features * batch.scale
        columns = self.head.columns(self.parameters)
        scores = self.head.scores(dropped, columns)
        at_scores = (self.head.probability(scores) - batch.truth).mul_(batch.shares)
        self.head.gradient(at_scores, dropped, self.gradient)
        if self.body.size:
            weights = columns[0] * (1 / (1 - self.dropout))
            at_features = self.head.at_features(at_scores, weights)
            at_pooled = torch.ops.aten.threshold_backward(at_features, dropped, 0)
            self.body.gradient(at_pooled, self.gradient)
        return scores
