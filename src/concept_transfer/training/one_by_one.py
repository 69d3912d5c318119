"""Learners on one-hot findings whose replicates are fitted one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array, vstack

from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.learners.learner import Context, Fitted
from concept_transfer.models.baselines import Classifier, Examples
from concept_transfer.models.bundle import tensors_in
from concept_transfer.progress import Progress
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Plan

FILE = "models.safetensors"
ROWS_AT_ONCE = 1 << 16

WeighedRows = tuple[Site, NDArray[np.int64], float]


Fit = Callable[[Examples, NDArray[np.float64], Examples, bool, int], Classifier]


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

    def _weights(
        self, parts: Iterable[WeighedRows], labels: NDArray[np.int8], balanced: bool
    ) -> NDArray[np.float64]:
        """Of all rows; balanced: times the inverse of their class's frequency."""
        weights = np.concatenate([np.full(len(rows), weight) for _, rows, weight in parts])
        if not balanced:
            return weights
        counts = np.bincount(labels, minlength=self.context.classes)
        shares = np.maximum(counts, 1) / len(labels)
        return weights * (1 / self.context.classes / shares)[labels]

    def _findings(self, site: Site, rows: NDArray[np.int64]) -> csr_array:
        findings: CompressedRows = site.inputs["findings"]
        return findings.select(rows).matrix(self.context.tokens)


class OneByOne(StackedModels):
    """Fits a model for every distinct set of training and validation encounters.

    Replicates differ in their draw of target encounters alone; where the draws are equal (the
    whole pool) one model serves them all.
    """

    def __init__(self, fit: Fit, model: type[Any], context: Context) -> None:
        """fit: (training, its weights [n], validation, whether validation may choose, number of
        classes) -> a `model`."""
        super().__init__(model, context)
        self.fit_one = fit

    def fit(self, plan: Plan, training: Training, choose: NDArray[np.bool_]) -> Fitted:
        assert plan.validation is not None
        parts = [*plan.train, plan.validation]
        places: dict[bytes, int] = {}
        models: list[Classifier] = []
        of = []
        progress = Progress("fits", len(choose))
        for i, may_choose in enumerate(choose):
            rows = [np.sort(part.rows[i]) for part in parts]
            key = b"|".join(each.tobytes() for each in rows)
            if key not in places:
                places[key] = len(models)
                sites = [(part.site, r, part.weight) for part, r in zip(parts, rows, strict=True)]
                balanced = training.class_weight == "balanced"
                train, held = self._examples(sites[:-1]), self._examples(sites[-1:])
                weights = self._weights(sites[:-1], train.labels, balanced)
                classes = self.context.classes
                models.append(self.fit_one(train, weights, held, bool(may_choose), classes))
            of.append(places[key])
            progress.advance()
        return Fitted(Stack(tuple(models), tuple(of)), [0] * len(of), [False] * len(of))
