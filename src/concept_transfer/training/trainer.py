"""Steps of R replicates side by side, with gradients written by hand.

All trainable numbers of a replicate are one row of a flat tensor: first the body (the
convolution in one of the coordinate systems of `convolution.py` and its bias, or nothing where
it is frozen), then the linear layer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights
from concept_transfer.settings.training import Training
from concept_transfer.training.batches import Batch, Batches
from concept_transfer.training.bodies import Body
from concept_transfer.training.linear import linear_layer, margins, probability
from concept_transfer.training.optimizers import optimizer_for

ROW_MULTIPLE = 64  # numbers: vectorised code then rounds every replicate's row alike


class Trainer:
    """R replicates in training: their parameters [R, size] and the steps that change them."""

    def __init__(self, body: Body, batches: Batches, start: Weights, settings: Training) -> None:
        self.body, self.batches, self.dropout = body, batches, settings.dropout
        layer = start.linear.mT.flatten(1)
        parameters = torch.cat([body.start(), layer, start.linear_bias], 1)
        filling = -parameters.shape[1] % ROW_MULTIPLE
        self.parameters = torch.nn.functional.pad(parameters, (0, filling))
        self.gradient = torch.zeros_like(self.parameters)
        self.optimizer = optimizer_for(self.parameters, settings)
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
        self.gradient = torch.zeros_like(self.parameters)
        self.batches.select(keep)
        self.optimizer.select(keep)

    def _fill_gradient(self, batch: Batch) -> Tensor:
        """The gradient of the weighted mean cross-entropy of one batch; returns the margins."""
        layer, bias = linear_layer(self.parameters, self.body)
        features = self.body.features(self.parameters, batch.inputs)
        dropped = features if batch.scale is None else features * batch.scale
        margin = margins(dropped, layer, bias)
        at_margin = (probability(margin) - batch.labels).mul_(batch.shares)
        layer_gradient, bias_gradient = linear_layer(self.gradient, self.body)
        torch.sum(at_margin * dropped, 1, out=layer_gradient[:, 1])
        torch.neg(layer_gradient[:, 1], out=layer_gradient[:, 0])
        torch.sum(at_margin, 1, out=bias_gradient[:, 1:])
        torch.neg(bias_gradient[:, 1], out=bias_gradient[:, 0])
        if self.body.size:
            slope = (layer[:, 1:] - layer[:, :1]).mul_(1 / (1 - self.dropout))
            at_pooled = torch.ops.aten.threshold_backward(at_margin * slope, dropped, 0)
            self.body.gradient(at_pooled, self.gradient)
        return margin
