"""Concept CNNs as a learner: a strategy's plan in, the engine's weights out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from concept_transfer.cohorts.budget import are_same
from concept_transfer.errors import StudyError
from concept_transfer.learners.learner import Context, Fitted
from concept_transfer.models.alignment import Affine, Moments
from concept_transfer.models.bundle import TABLE, tensors_in
from concept_transfer.models.cnn import Weights, feature_moments, predict
from concept_transfer.models.dataset import Dataset, concatenate, dataset_of
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.progress import span, within
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Part, Plan
from concept_transfer.training.adversary import Domains
from concept_transfer.training.draws import initial_weights
from concept_transfer.training.engine import Fit, Tuning, fit
from concept_transfer.training.optimizers import TOWARDS_ZERO

FILE = "weights.safetensors"

_log = logging.getLogger(__name__)


class ConceptCNNs:
    """R networks, side by side."""

    def __init__(self, context: Context) -> None:
        """Raises ValueError where the context has no vectors."""
        if context.vectors is None:
            raise ValueError("the concept CNN needs the vectors of an embedding")
        torch.set_num_threads(context.threads)
        self.context = context
        self.vectors = torch.from_numpy(context.vectors)

    def fit(self, plan: Plan, training: Training, choose: NDArray[np.bool_]) -> Fitted:
        """Early stopping where `choose`; the others train `fixed_epochs`. It may keep a handed-on
        model as it came; the paper's protocol always takes the best epoch after it."""
        assert plan.validation is not None
        begin = time.monotonic()
        dataset, train, validation, domains = _joined(plan)
        encounters = sum(part.size for part in plan.train)
        settings = training.resolved(encounters, tuned=plan.start is not None)
        factor = factor_to(training.norm, self.vectors)
        start = self._untrained(training) if plan.start is None else _times(plan.start, 1 / factor)
        device, weights = self.context.device, start
        epochs, diverged = np.zeros(len(choose), np.int64), np.zeros(len(choose), bool)
        for stage in plan.stages:
            competes = plan.start is not None and training.protocol != "gao2024"
            decay = plan.decay or TOWARDS_ZERO
            result = fit(
                dataset.to(device),
                (self.vectors * factor).to(device),
                train.to(device),
                validation.to(device),
                torch.tensor(self.context.keys, device=device),
                weights.to(device),
                settings.at_most(stage.epochs),
                choose.tolist(),
                Tuning(
                    stage.frozen,
                    competes,
                    decay,
                    stage.body_rate,
                    stage.rank,
                    domains and domains.to(device),
                ),
            )
            weights = result.weights.to("cpu")
            epochs += result.epochs
            diverged |= result.diverged
        result = replace(result, epochs=epochs.tolist(), diverged=diverged.tolist())
        said = described(dataset, train, validation, training, result)
        _log.info(within(f"{said}, {time.monotonic() - begin:.1f} s"))
        models = _times(weights, factor)
        if plan.start is not None:
            models = _exact(models, weights, start, plan.start)
        return Fitted(models, result.epochs, result.diverged)

    def _untrained(self, training: Training) -> Weights:
        keys, width = torch.tensor(self.context.keys), self.vectors.shape[-1]
        return initial_weights(keys, width, training.filters, self.context.classes)

    def predict(self, models: Weights, site: Site, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        chosen = torch.from_numpy(rows.copy())
        probability = predict(models, self.vectors, dataset_of(site), chosen)
        return np.asarray(probability)

    def one_of(self, models: Sequence[Weights], of: Sequence[int]) -> Weights:
        return Weights(
            *(
                torch.stack([getattr(models[k], field.name)[i] for i, k in enumerate(of)])
                for field in fields(Weights)
            )
        )

    def recalibrated(self, models: Weights, changes: Sequence[Recalibration]) -> Weights:
        slope = torch.tensor([change.slope for change in changes])
        shift = torch.from_numpy(np.stack([change.intercepts for change in changes]))
        linear = models.linear * slope[:, None, None]
        bias = models.linear_bias * slope[:, None] + shift.to(models.linear_bias.dtype)
        return replace(models, linear=linear, linear_bias=bias)

    def moments(self, models: Weights, site: Site, rows: NDArray[np.int64]) -> list[Moments]:
        """Of the pooled features after ReLU, float64."""
        return feature_moments(models, self.vectors, dataset_of(site), torch.from_numpy(rows))

    def mapped(self, models: Weights, maps: Sequence[Affine]) -> Weights:
        matrix, shift = (
            torch.from_numpy(np.stack([getattr(change, name) for change in maps]))
            for name in ("matrix", "shift")
        )
        linear, bias = models.linear.double(), models.linear_bias.double()
        bias = bias + (shift[:, None] @ linear)[:, 0]
        dtype = models.linear.dtype
        return replace(models, linear=(matrix @ linear).to(dtype), linear_bias=bias.to(dtype))

    def write(self, models: Weights, folder: Path) -> None:
        save_file({name: t.contiguous() for name, t in vars(models).items()}, folder / FILE)

    def read(self, folder: Path) -> Weights:
        """Raises StudyError where the file is damaged or of vectors of another width."""
        weights = Weights(**tensors_in(folder / FILE, load_file))
        width = weights.convolution.shape[1]
        if width != self.vectors.shape[-1]:
            raise StudyError(
                f"{folder / FILE} is for vectors of width {width}, but {folder}/{TABLE} has width "
                f"{self.vectors.shape[-1]}: the files are of different bundles"
            )
        return weights


def factor_to(norm: float | None, vectors: Tensor) -> Tensor:
    """What brings the rows of vectors [..., tokens, width] to a mean norm, [..., 1, 1]; 1 for None.

    Rows of zeros are of tokens without a vector, and do not count.
    """
    norms = vectors.double().norm(dim=-1)
    mean = norms.sum(-1) / norms.count_nonzero(-1).clamp(min=1)
    wanted = mean if norm is None else norm
    factor = torch.where(mean > 0, wanted / mean, 1)
    return factor.to(vectors.dtype)[..., None, None]


def _times(weights: Weights, factor: Tensor) -> Weights:
    """Models that say of vectors what the given ones say of them times the factor."""
    return replace(weights, convolution=weights.convolution * factor)


def _exact(models: Weights, trained: Weights, start: Weights, given: Weights) -> Weights:
    """Models without the rounding of the factor where training left the start as it was."""
    same = trained.convolution == start.convolution
    return replace(models, convolution=torch.where(same, given.convolution, models.convolution))


def _joined(plan: Plan) -> tuple[Dataset, Tensor, Tensor, Domains | None]:
    """The sites' encounters as one dataset, and in it the rows to train and to validate on, and
    what an opponent looks at."""
    held = plan.validation
    assert held is not None
    of_site = (part.weight for part in plan.train if part.site.name == held.site.name)
    unlabelled = [plan.adversary.unlabelled] if plan.adversary else []
    parts = [*plan.train, replace(held, weight=next(of_site, held.weight)), *unlabelled]
    weighed = {_weighed(part): part for part in parts}
    datasets = [dataset_of(part.site, part.weight) for part in weighed.values()]
    starts = accumulate((len(dataset) for dataset in datasets[:-1]), initial=0)
    first = dict(zip(weighed, starts, strict=True))
    dataset = datasets[0] if len(datasets) == 1 else concatenate(datasets)
    rows = [_rows(part, first[_weighed(part)]) for part in parts]
    count = len(plan.train)
    train, validation, domains = _side_by_side(rows[:count]), rows[count], None
    if plan.adversary:
        labels = torch.zeros(len(dataset), dtype=torch.int8)
        labels[first[_weighed(parts[-1])] :] = 1
        domains = Domains(_side_by_side([train, rows[-1]]), labels, plan.adversary.strength)
    return dataset, train, validation, domains


def _weighed(part: Part) -> tuple[str, bytes]:
    """What tells a site's encounters with some weights from those with others."""
    return part.site.name, np.asarray(part.weight).tobytes()


def _side_by_side(rows: list[Tensor]) -> Tensor:
    """The parts' rows, one after the other, [R, n]; stored once if all parts are."""
    if len(rows) == 1:
        return rows[0]
    if all(part.stride(0) == 0 for part in rows):
        return torch.cat([part[0] for part in rows]).expand(len(rows[0]), -1)
    return torch.cat(rows, 1)


def _rows(part: Part, first: int) -> Tensor:
    if are_same(part.rows):
        return torch.from_numpy(part.rows[0] + first).expand(len(part.rows), -1)
    return torch.from_numpy(part.rows + first)


def described(
    dataset: Dataset, train: Tensor, validation: Tensor, training: Training, result: Fit
) -> str:
    """What was trained on what, and how well it went, in one line for the log."""
    distinct = train[:1] if train.stride(0) == 0 else train
    classes = torch.arange(result.weights.classes, device=train.device)
    counts = (dataset.labels[distinct][..., None] == classes).sum(1)
    labels = f"{span(counts[:, 1].tolist())} positive"
    if len(classes) > 2:
        labels = f"{span(counts.amin(1).tolist())} of the rarest class"
    judged = f"validation {training.monitor}" if validation.shape[1] else "training log_loss"
    scores = [abs(score) for score in result.scores if math.isfinite(score)]
    diverged = sum(result.diverged)
    return (
        f"{len(result.epochs)} replicate(s) trained on {train.shape[1]} encounters "
        f"({labels}), validated on {validation.shape[1]}; "
        f"epochs kept {span(result.epochs)}, {judged} {span(scores, '.4f')}"
        + (f", {diverged} diverged" if diverged else "")
    )
