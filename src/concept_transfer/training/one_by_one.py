"""Learners on one-hot findings whose replicates are fitted one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array, vstack

from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.learners.learner import Context, CrossFitted, Fitted
from concept_transfer.models.alignment import Affine, Moments
from concept_transfer.models.baselines import Classifier, Examples, losses, predict_all
from concept_transfer.models.bundle import tensors_in
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.progress import Progress
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Plan, Weight
from concept_transfer.training.choosing import FEWEST_TO_CHOOSE

FILE = "models.safetensors"
ROWS_AT_ONCE = 1 << 16

WeighedRows = tuple[Site, NDArray[np.int64], Weight]


# (training, its weights [n], number of classes) -> models to choose among, the simplest first
Fit = Callable[[Examples, NDArray[np.float64], int], Sequence[Classifier]]


@dataclass(frozen=True)
class Stack:
    """The models of R replicates; those that saw the same encounters are stored once.

    of: for each replicate the place of its model.
    """

    models: tuple[Classifier, ...]
    of: tuple[int, ...]

    def select(self, replicates: list[int]) -> Stack:
        """Those of some of the replicates, by place."""
        return Stack(self.models, tuple(self.of[i] for i in replicates))


class StackedModels:
    """Models that are arrays, one after the other: how they predict, are written and read."""

    def __init__(self, model: type[Any], context: Context) -> None:
        """model: their class, with `from_arrays`."""
        self.model, self.context = model, context

    def predict(self, models: Stack, site: Site, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        shape = (len(models.models), len(rows), self.context.classes)
        probability = np.empty(shape)
        needed = set(models.of)
        for first in range(0, len(rows), ROWS_AT_ONCE):
            block = slice(first, first + ROWS_AT_ONCE)
            findings = self._findings(site, rows[block])
            for place in needed:
                probability[place, block] = models.models[place].predict_proba(findings)
        return probability[list(models.of)]

    def one_of(self, models: Sequence[Stack], of: Sequence[int]) -> Stack:
        first = np.cumsum([0, *(len(stack.models) for stack in models)])
        every = tuple(model for stack in models for model in stack.models)
        return Stack(every, tuple(int(first[k]) + models[k].of[i] for i, k in enumerate(of)))

    def recalibrated(self, models: Stack, changes: Sequence[Recalibration]) -> Stack:
        changed = [
            cast(Any, models.models[place]).recalibrated(change)
            for place, change in zip(models.of, changes, strict=True)
        ]
        return Stack(tuple(changed), tuple(range(len(changed))))

    def moments(self, models: Stack, site: Site, rows: NDArray[np.int64]) -> list[Moments]:
        """Of findings, which are the same for all models."""
        findings = self._findings(site, rows)
        sums, products = findings.sum(axis=0), (findings.T @ findings).toarray()
        return [Moments.of(len(rows), sums, products)] * len(models.of)

    def mapped(self, models: Stack, maps: Sequence[Affine]) -> Stack:
        """By the first map: it is every model's."""
        return Stack(tuple(cast(Any, each).mapped(maps[0]) for each in models.models), models.of)

    def write(self, models: Stack, folder: Path) -> None:
        needed = sorted(set(models.of))
        arrays = {"model_of": np.array([needed.index(place) for place in models.of])}
        for number, place in enumerate(needed):
            for name, array in models.models[place].arrays().items():
                arrays[f"{number}.{name}"] = np.array(array, order="C")
        save_file(arrays, folder / FILE)

    def read(self, folder: Path) -> Stack:
        grouped: dict[int, dict[str, NDArray[Any]]] = {}
        arrays = tensors_in(folder / FILE, load_file)
        of = arrays.pop("model_of")
        for name, array in arrays.items():
            number, _, key = name.partition(".")
            grouped.setdefault(int(number), {})[key] = array
        models = tuple(self.model.from_arrays(grouped[number]) for number in sorted(grouped))
        return Stack(models, tuple(of.tolist()))

    def _examples(self, parts: Iterable[WeighedRows]) -> Examples:
        matrices, labels = zip(
            *((self._findings(site, rows), site.labels[rows]) for site, rows, _ in parts),
            strict=True,
        )
        return Examples(vstack(matrices, format="csr"), np.concatenate(labels))

    def _findings(self, site: Site, rows: NDArray[np.int64]) -> csr_array:
        findings: CompressedRows = site.inputs["findings"]
        return findings.select(rows).matrix(self.context.tokens)


class OneByOne(StackedModels):
    """Fits models for every distinct set of training encounters, and keeps one.

    Replicates differ in their draw of target encounters alone; where the draws are equal (the
    whole pool) one model serves them all. Among several models that with the least log loss on
    encounters of other folds is kept (`cross_fit`).
    """

    def __init__(self, fit: Fit, model: type[Any], context: Context, usual: int = 0) -> None:
        """model: what `fit` makes; usual: which of its models is kept where labels are too few to
        choose."""
        super().__init__(model, context)
        self.fit, self.usual = fit, usual

    def cross_fit(self, plan: Plan, training: Training, folds: NDArray[np.int64]) -> CrossFitted:
        places: dict[bytes, int] = {}
        fits: list[tuple[Classifier, NDArray[np.float64]]] = []
        of = []
        balanced = training.class_weight == "balanced"
        target, *others = plan.train
        held = np.empty((*folds.shape, self.context.classes))
        progress = Progress("fits", len(folds))
        for i, own_folds in enumerate(folds):
            order = np.argsort(target.rows[i], kind="stable")
            parts = [
                (target.site, target.rows[i][order], target.weight),
                *((part.site, np.sort(part.rows[i]), part.weight) for part in others),
            ]
            fold = own_folds[order]
            key = b"|".join([fold.tobytes(), *(rows.tobytes() for _, rows, _ in parts)])
            if key not in places:
                places[key] = len(fits)
                fits.append(self._cross_fitted(parts, fold, balanced))
            of.append(places[key])
            held[i, order] = fits[of[-1]][1]
            progress.advance()
        stack = Stack(tuple(model for model, _ in fits), tuple(of))
        return CrossFitted(Fitted(stack, [0] * len(of), [False] * len(of)), held)

    def _cross_fitted(
        self, parts: Sequence[WeighedRows], fold: NDArray[np.int64], balanced: bool
    ) -> tuple[Classifier, NDArray[np.float64]]:
        """A model of all encounters, and the probabilities [n, classes] of the first part's.

        Which model predicts a fold is chosen by the others' losses.
        """
        examples, classes = self._examples(parts), self.context.classes
        weight = weights_of(parts)
        labels = examples.labels[: len(fold)]
        everything = self._fitted(examples, weight, balanced)
        held = np.full((len(everything), len(fold), classes), np.nan)
        for number in np.unique(fold):
            out = np.flatnonzero(fold == number)
            rest = np.setdiff1d(np.arange(len(examples)), out)
            if len(np.unique(examples.labels[rest])) < 2:
                continue
            models = self._fitted(examples.select(rest), weight[rest], balanced)
            held[:, out] = predict_all(models, examples.findings[out])
        loss = np.stack([losses(each, labels) for each in held]) * weight[: len(fold)]
        counts = np.bincount(examples.labels)
        enough = counts[counts > 0].min() >= FEWEST_TO_CHOOSE
        chosen = np.full(len(fold), self.usual)
        best = self.usual
        if enough and len(everything) > 1:
            best = int(np.nansum(loss, axis=1).argmin())
            for number in np.unique(fold):
                elsewhere = np.nansum(loss[:, fold != number], axis=1)
                chosen[fold == number] = elsewhere.argmin()
        return everything[best], held[chosen, np.arange(len(fold))]

    def _fitted(
        self, examples: Examples, weight: NDArray[np.float64], balanced: bool
    ) -> Sequence[Classifier]:
        """balanced: the weights times the inverse of the frequency of an encounter's class."""
        if balanced:
            weight = weight * balance(examples.labels, self.context.classes)
        return self.fit(examples, weight, self.context.classes)


def weights_of(parts: Iterable[WeighedRows]) -> NDArray[np.float64]:
    """Of all rows, one part after the other."""
    return np.concatenate(
        [np.broadcast_to(weight, len(site.labels))[rows] for site, rows, weight in parts]
    )


def balance(labels: NDArray[np.int8], classes: int) -> NDArray[np.float64]:
    """The inverse of the frequency of each label's class [n], about 1."""
    shares = np.maximum(np.bincount(labels, minlength=classes), 1) / len(labels)
    return np.asarray((1 / classes / shares)[labels])
