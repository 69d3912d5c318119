"""Concept CNNs as a learner: a strategy's plan in, the engine's weights out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from concept_transfer.cohorts.budget import enough_labels
from concept_transfer.errors import StudyError
from concept_transfer.learners.learner import Context, CrossFitted, Fitted
from concept_transfer.models.alignment import Affine, Moments
from concept_transfer.models.bundle import TABLE, tensors_in
from concept_transfer.models.cnn import (
    Weights,
    by_pooling,
    concatenate,
    feature_moments,
    predict,
)
from concept_transfer.models.dataset import Dataset, dataset_of
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.progress import within
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Part, Plan
from concept_transfer.training.adversary import Domains, domains_of
from concept_transfer.training.base_rates import at_base_rates
from concept_transfer.training.candidates import averaged, best_of
from concept_transfer.training.draws import ENSEMBLE, hashes, initial_weights
from concept_transfer.training.engine import Fit, Tuning, fit
from concept_transfer.training.folds import Folds, folds_of
from concept_transfer.training.joining import described, joined, side_by_side
from concept_transfer.training.optimizers import TOWARDS_ZERO

FILE = "weights.safetensors"
BEGINS_AT_SHARES = ("early_stopping", "none")  # protocol and class_weight

_log = logging.getLogger(__name__)


class ConceptCNNs:
    """R networks, side by side."""

    def __init__(
        self, context: Context, poolings: tuple[str, ...] = ("max",), seeds: int = 1
    ) -> None:
        """poolings: to choose among; seeds: of so many networks the logits are averaged. Raises
        ValueError where the context has no vectors."""
        if context.vectors is None:
            raise ValueError("the concept CNN needs the vectors of an embedding")
        torch.set_num_threads(context.threads)
        self.context = context
        self.vectors = torch.from_numpy(context.vectors)
        self.poolings, self.seeds = poolings, seeds

    def fit(self, plan: Plan, training: Training, choose: NDArray[np.bool_]) -> Fitted:
        """Early stopping where `choose`; the others train `fixed_epochs`."""
        assert plan.validation is not None
        held = plan.validation
        of_site = (part.weight for part in plan.train if part.site.name == held.site.name)
        held = replace(held, weight=next(of_site, held.weight))
        dataset, (validation, *rows), domains = _encounters_of(plan, held)
        train = side_by_side(rows)
        settings = next(training.candidates(_encounters(plan), plan.start is not None))
        starts = self._starts(plan, training, self.poolings[0])
        trained = averaged(
            [
                self._train(*(plan, settings, *start, dataset, train, validation, domains, choose))
                for start in starts
            ]
        )
        return Fitted(trained.weights, trained.epochs, trained.diverged)

    def cross_fit(self, plan: Plan, training: Training, folds: NDArray[np.int64]) -> CrossFitted:
        """Networks without each fold and one of all encounters, side by side (`folds.Folds`).

        All train as long as the folds choose, or `fixed_epochs` where labels are too few to choose;
        a handed-on model may stay as it came. The settings and the pooling are chosen likewise.
        """
        if plan.start is not None and len(groups := list(by_pooling(plan.start))) > 1:
            return self._apart([places for _, places in groups], plan, training, folds)
        target, number = plan.train[0], int(folds.max()) + 1
        dataset, rows, domains = _encounters_of(plan)
        train = side_by_side(rows)
        numbers = torch.from_numpy(folds.copy())
        networks = folds_of(train, dataset.labels[train], numbers, number)
        choose = enough_labels(target.site.cohort, target.rows)
        fits = [
            averaged(
                [
                    self._train(
                        *(plan, settings, *start, dataset, train, train[:, :0], domains, choose),
                        networks,
                    )
                    for start in self._starts(plan, training, pooling)
                ]
            )
            for pooling in (self.poolings if plan.start is None else self.poolings[:1])
            for settings in training.candidates(_encounters(plan), plan.start is not None)
        ]
        trained = best_of(fits, torch.from_numpy(choose).repeat_interleave(number + 1))
        diverged = np.asarray(np.reshape(trained.diverged, (len(folds), -1)).any(axis=1))
        judged = networks.judged.any(1).view(len(folds), -1).numpy() & ~diverged[:, None]
        held = np.full((*folds.shape, self.context.classes), np.nan)
        for fold in range(number):
            of_fold = trained.weights.select(slice(fold, None, number + 1))
            needed = np.unique(target.rows[folds == fold])
            probability = self.predict(of_fold, target.site, needed)
            for i in np.flatnonzero(judged[:, fold]):
                out = folds[i] == fold
                held[i, out] = probability[i, np.searchsorted(needed, target.rows[i, out])]
        models = trained.weights.select(slice(number, None, number + 1))
        return CrossFitted(
            Fitted(models, trained.epochs[number :: number + 1], diverged.tolist()), held
        )

    def _apart(
        self,
        groups: list[list[int]],
        plan: Plan,
        training: Training,
        folds: NDArray[np.int64],
    ) -> CrossFitted:
        """Cross-fit groups of replicates one after the other."""
        order = np.argsort([place for places in groups for place in places])
        found = []
        for places in groups:
            family = ConceptCNNs(self.context.select(places), self.poolings, self.seeds)
            parts = tuple(replace(part, rows=part.rows[places]) for part in plan.train)
            own = replace(plan, train=parts, start=plan.start.select(places))
            found.append(family.cross_fit(own, training, folds[places]))
        fitted = [each.fitted for each in found]
        held = np.concatenate([each.held for each in found])[order]
        models = concatenate([each.models for each in fitted]).select(order.tolist())
        epochs, diverged = (
            [list(chain(*(getattr(each, name) for each in fitted)))[i] for i in order]
            for name in ("epochs", "diverged")
        )
        return CrossFitted(Fitted(models, epochs, diverged), held)

    def _starts(
        self, plan: Plan, training: Training, pooling: str
    ) -> Iterator[tuple[Tensor, Weights]]:
        """The keys and the initial weights of each network of an ensemble; a handed-on model is
        one network whatever it was made of."""
        keys = torch.tensor(self.context.keys)
        if plan.start is not None:
            yield keys, plan.start
            return
        width, classes = self.vectors.shape[-1], self.context.classes
        for seed in range(self.seeds):
            own = keys if seed == 0 else hashes(keys, ENSEMBLE, torch.tensor(seed))
            yield own, initial_weights(own, width, training.filters, classes, pooling=pooling)

    def _train(
        self,
        plan: Plan,
        training: Training,
        keys: Tensor,
        start: Weights,
        dataset: Dataset,
        train: Tensor,
        validation: Tensor,
        domains: Domains | None,
        choose: NDArray[np.bool_],
        folds: Folds | None = None,
    ) -> Fit:
        """Go through the stages of a plan, with all networks of each replicate.

        training: see `Training.candidates`; keys: int64 [R]; start: of R networks.
        """
        begin, each = time.monotonic(), 1 if folds is None else folds.networks
        keys, vectors = keys.repeat_interleave(each), self.vectors
        if vectors.dim() == 3:
            vectors = vectors.repeat_interleave(each, 0)
        assert not isinstance(training.norm, list)
        factor = factor_to(training.norm, vectors)
        given = start.select(torch.arange(len(start)).repeat_interleave(each))
        if plan.start is None and (training.protocol, training.class_weight) == BEGINS_AT_SHARES:
            every = torch.ones(train.shape, dtype=torch.bool)
            given = at_base_rates(given, dataset, train, folds.trained if folds else every)
        weights = start = given if plan.start is None else _times(given, 1 / factor)
        settings = training.model_copy(update={"filters": start.convolution_bias.shape[1]})
        device, early = self.context.device, choose.repeat(each).tolist()
        if domains is not None:
            domains = replace(domains, rows=_of_each(domains.rows, each)).to(device)
        epochs, diverged = np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
        for stage in plan.stages:
            competes = plan.start is not None and training.protocol != "gao2024"
            decay = plan.decay or TOWARDS_ZERO
            result = fit(
                dataset.to(device),
                (vectors * factor).to(device),
                _of_each(train, each).to(device),
                validation.to(device),
                keys.to(device),
                weights.to(device),
                settings.at_most(stage.epochs),
                early,
                Tuning(
                    stage.frozen,
                    competes,
                    decay,
                    stage.body_rate,
                    stage.rank,
                    domains,
                ),
                folds and folds.to(device),
            )
            weights = result.weights.to("cpu")
            epochs += result.epochs
            diverged |= result.diverged
        models = _times(weights, factor)
        if plan.start is not None:
            models = _exact(models, weights, start, given)
        result = replace(result, weights=models, epochs=epochs.tolist(), diverged=diverged.tolist())
        last = slice(each - 1, None, each)
        judging = validation.shape[1] if folds is None else int(folds.judged.sum()) // len(choose)
        parts = (result.epochs[last], result.diverged[last], result.scores[last])
        said = described(
            dataset, train, judging, each - 1, training, Fit(models.select(last), *parts)
        )
        _log.info(within(f"{said}, {time.monotonic() - begin:.1f} s"))
        return result

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
        """A file that names no pooling is of networks that take the maximum.

        Raises StudyError where the file is damaged or of vectors of another width.
        """
        arrays = tensors_in(folder / FILE, load_file)
        of_old = {"pooling": torch.zeros(len(arrays["linear_bias"]), dtype=torch.int8)}
        weights = Weights(**of_old | arrays)
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


def _encounters_of(plan: Plan, *held: Part) -> tuple[Dataset, list[Tensor], Domains | None]:
    """All encounters as one dataset, the rows in it of `held` and of each part to train on, and
    what an opponent looks at."""
    opponent, parts = plan.adversary, [*held, *plan.train]
    if opponent is None:
        return *joined(parts), None
    dataset, (*rows, unlabelled) = joined([*parts, opponent.unlabelled])
    train = side_by_side(rows[len(held) :])
    return dataset, rows, domains_of(dataset, train, unlabelled, opponent.strength)


def _encounters(plan: Plan) -> float:
    """How many train, by their weights."""
    return sum(part.size for part in plan.train)


def _of_each(rows: Tensor, networks: int) -> Tensor:
    """Each replicate's rows for all of its networks; rows that all share stay stored once."""
    if rows.stride(0) == 0:
        return rows[:1].expand(len(rows) * networks, -1)
    return rows.repeat_interleave(networks, 0)


def _times(weights: Weights, factor: Tensor) -> Weights:
    """Models that say of vectors what the given ones say of them times the factor."""
    return replace(weights, convolution=weights.convolution * factor)


def _exact(models: Weights, trained: Weights, start: Weights, given: Weights) -> Weights:
    """Models without the rounding of the factor where training left the start as it was."""
    same = trained.convolution == start.convolution
    return replace(models, convolution=torch.where(same, given.convolution, models.convolution))
