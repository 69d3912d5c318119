"""Fits many replicates of the concept CNN at once, each exactly as a plain model would be.

All trainable numbers of a replicate are one row of a flat tensor: first the body (the
convolution in one of the coordinate systems of `convolution.py` and its bias, or nothing where
it is frozen), then the linear layer. Gradients are written by hand; a step gathers projected
rows, takes their maximum, and does two small products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from concept_transfer.models.cnn import Weights
from concept_transfer.models.dataset import Dataset
from concept_transfer.study import Training
from concept_transfer.training import draws
from concept_transfer.training.bodies import Body, FrozenBody, TrainedBody
from concept_transfer.training.convolution import Convolution, convolution_for
from concept_transfer.training.optimizers import AdamW, NesterovSGD, Optimizer
from concept_transfer.training.schedule import Schedule

VALIDATION_ROWS_AT_ONCE = 4096


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
    train, validation: int64 [R, n] and [R, m], each replicate's encounters.
    keys: int64 [R], see `draws.replicate_key`.
    early_stopping: for each replicate; see `schedule.Schedule`.
    frozen: train the linear layer alone (its features are then computed once).

    A replicate whose validation loss stops being finite is stopped and returned as diverged,
    with the last weights it validated.
    """
    rows = torch.cat([train, validation], 1)
    convolution = convolution_for(vectors, start.convolution, settings.optimizer)
    body: Body = (
        FrozenBody.of(dataset, rows, vectors, start)
        if frozen
        else TrainedBody(dataset, rows, convolution, start.convolution_bias)
    )
    linear = torch.cat([start.linear.flatten(1), start.linear_bias], 1)
    parameters = torch.cat([body.start(), linear], 1)
    optimizer = _optimizer(parameters, settings)
    schedule = Schedule(settings, early_stopping)
    labels = dataset.labels[rows].long()
    weights = dataset.weights[rows] * _class_weights(labels[:, : train.shape[1]], labels, settings)
    weights = weights.to(parameters.dtype)
    kept = parameters.clone()
    active = torch.arange(len(keys))
    size, batch = train.shape[1], settings.batch_size
    batches_a_pass = -(-size // batch)
    step = 0
    while len(active):
        for _ in range(settings.iterations or batches_a_pass):
            number, position = divmod(step, batches_a_pass)
            if position == 0:
                order = draws.orders(keys, number, size)
            places = order[:, position * batch : (position + 1) * batch]
            gradient = _gradient(
                body, parameters, places, labels, weights, keys, step, settings.dropout
            )
            optimizer.step(parameters, gradient)
            step += 1
        scores = _validation_scores(body, parameters, labels, size, settings.monitor)
        better, going = schedule.after_epoch(active, scores)
        device = parameters.device
        kept[active[better].to(device)] = parameters[better.to(device)]
        if not bool(going.all()):
            active, keep = active[going], going.to(device)
            keys, order, labels, weights = keys[keep], order[keep], labels[keep], weights[keep]
            parameters, body = parameters[keep], body.select(keep)
            optimizer.select(keep)
    return Fit(
        _trained_weights(kept, body_size=body.size, start=start, convolution=convolution),
        schedule.kept_epoch.tolist(),
        schedule.diverged.tolist(),
    )


def _gradient(
    body: Body,
    parameters: Tensor,
    places: Tensor,
    labels: Tensor,
    weights: Tensor,
    keys: Tensor,
    step: int,
    dropout: float,
) -> Tensor:
    """Gradient [R, size] of the weighted mean cross-entropy of one batch."""
    features = body.features(parameters[:, : body.size], places)
    linear, bias = _linear(parameters, body.size)
    if dropout:
        kept = draws.keep_masks(keys, step, features.shape[1], features.shape[2], dropout)
        scale = kept.to(features.dtype).mul_(1 / (1 - dropout))
        dropped = features * scale
    else:
        dropped = features
    logits = torch.baddbmm(bias[:, None], dropped, linear)
    at_logits = logits.softmax(2)
    at_logits.scatter_add_(
        2, labels.gather(1, places)[..., None], at_logits.new_full((*places.shape, 1), -1)
    )
    shares = weights.gather(1, places)
    at_logits *= (shares / shares.sum(1, keepdim=True))[..., None]
    gradient = torch.empty_like(parameters)
    gradient[:, body.size : -2] = (dropped.mT @ at_logits).flatten(1)
    gradient[:, -2:] = at_logits.sum(1)
    at_features = at_logits @ linear.mT
    body.gradient(at_features * scale if dropout else at_features, gradient[:, : body.size])
    return gradient


def _validation_scores(
    body: Body, parameters: Tensor, labels: Tensor, train_size: int, monitor: str
) -> Tensor:
    """What the schedule minimises, float64 [R] on the CPU; not finite where a model diverged."""
    linear, bias = _linear(parameters, body.size)
    total = labels.shape[1]
    first = train_size if total > train_size else 0
    margins = []
    for start in range(first, total, VALIDATION_ROWS_AT_ONCE):
        places = torch.arange(start, min(start + VALIDATION_ROWS_AT_ONCE, total))
        places = places.to(labels.device).expand(len(labels), -1)
        logits = torch.baddbmm(
            bias[:, None], body.evaluate(parameters[:, : body.size], places), linear
        )
        margins.append((logits[..., 1] - logits[..., 0]).double())
    margin = torch.cat(margins, 1)
    label = labels[:, first:]
    losses = torch.nn.functional.softplus(torch.where(label == 1, -margin, margin)).mean(1)
    losses = torch.where(parameters.isfinite().all(1), losses, torch.nan)
    if monitor == "log_loss":
        return losses.cpu()
    area = auroc(margin, label)
    return torch.where(losses.isfinite() & area.isfinite(), -area, losses).cpu()


def auroc(scores: Tensor, labels: Tensor) -> Tensor:
    """Area under the ROC curve of each row, ties counted half; NaN where a class is missing.

    scores: [R, n]; labels: 0/1 [R, n].
    """
    ordered = scores.sort(1).values
    below = torch.searchsorted(ordered, scores)
    upto = torch.searchsorted(ordered, scores, right=True)
    positives = labels.sum(1).double()
    negatives = labels.shape[1] - positives
    rank_sum = ((below + upto + 1) / 2 * labels).sum(1, dtype=torch.float64)
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def _linear(parameters: Tensor, body_size: int) -> tuple[Tensor, Tensor]:
    return parameters[:, body_size:-2].view(len(parameters), -1, 2), parameters[:, -2:]


def _optimizer(parameters: Tensor, settings: Training) -> Optimizer:
    if settings.optimizer == "adamw":
        return AdamW(parameters, settings.learning_rate, settings.weight_decay)
    return NesterovSGD(parameters, settings.learning_rate, settings.momentum, settings.weight_decay)


def _class_weights(train_labels: Tensor, labels: Tensor, settings: Training) -> Tensor:
    """The weight of each label's class, [R, n]; balanced: inverse to its training frequency."""
    if settings.class_weight == "none":
        return torch.ones_like(labels, dtype=torch.float64)
    positive_share = train_labels.double().mean(1, keepdim=True)
    return torch.where(labels == 1, 0.5 / positive_share, 0.5 / (1 - positive_share))


def _trained_weights(
    parameters: Tensor, body_size: int, start: Weights, convolution: Convolution
) -> Weights:
    linear, bias = _linear(parameters, body_size)
    if not body_size:
        return Weights(start.convolution, start.convolution_bias, linear, bias)
    return Weights(
        convolution.weights(parameters[:, : convolution.size]),
        parameters[:, convolution.size : body_size],
        linear,
        bias,
    )
