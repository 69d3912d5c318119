"""Learners on one-hot findings whose replicates are fitted one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix, vstack

from concept_transfer.learners.learner import Context, Fitted
from concept_transfer.models.baselines import findings_matrix
from concept_transfer.models.bundle import tensors_in
from concept_transfer.progress import Progress
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Plan

FILE = "models.safetensors"
ROWS_AT_ONCE = 1 << 16


class Model(Protocol):
    """One fitted classifier: a dataclass whose fields are arrays."""

    def predict_proba(self, findings: csr_matrix) -> NDArray[np.float64]:
        """Probabilities [n, classes] of the rows of a 0/1 matrix [n, tokens]."""


@dataclass(frozen=True)
class Sample:
    """Labelled encounters: findings 0/1 [n, tokens], labels int8 [n] below `classes`, weights
    float64 [n]."""

    findings: csr_matrix
    labels: NDArray[np.int8]
    weights: NDArray[np.float64]
    classes: int


Fit = Callable[[Sample, Sample, bool], Model]


@dataclass(frozen=True)
class Stack:
    """The models of R replicates; those that saw the same encounters are stored once.

    of: for each replicate the place of its model.
    """

    models: tuple[Model, ...]
    of: tuple[int, ...]

    def select(self, replicates: list[int]) -> Stack:
        """Those of some of the replicates, by place."""
        return Stack(self.models, tuple(self.of[i] for i in replicates))


class OneByOne:
    """Fits a model for every distinct set of training and validation encounters.

    Replicates differ in their draw of target encounters alone; where the draws are equal (the
    whole pool) one model serves them all.
    """

    def __init__(self, fit: Fit, model: type[Any], context: Context) -> None:
        """fit: (training, validation, whether validation may choose) -> a `model`."""
        self.fit_one, self.model, self.context = fit, model, context

    def fit(self, plan: Plan, training: Training, choose: NDArray[np.bool_]) -> Fitted:
        assert plan.validation is not None
        parts = [*plan.train, plan.validation]
        places: dict[bytes, int] = {}
        models: list[Model] = []
        of = []
        progress = Progress("fits", len(choose))
        for i, may_choose in enumerate(choose):
            rows = [np.sort(part.rows[i]) for part in parts]
            key = b"|".join(each.tobytes() for each in rows)
            if key not in places:
                places[key] = len(models)
                sites = [(part.site, r, part.weight) for part, r in zip(parts, rows, strict=True)]
                balanced = training.class_weight == "balanced"
                train = self._sample(sites[:-1], balanced)
                models.append(self.fit_one(train, self._sample(sites[-1:]), bool(may_choose)))
            of.append(places[key])
            progress.advance()
        return Fitted(Stack(tuple(models), tuple(of)), [0] * len(of), [False] * len(of))

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
            for name, array in vars(models.models[place]).items():
                arrays[f"{number}.{name}"] = np.ascontiguousarray(array)
        save_file(arrays, folder / FILE)

    def read(self, folder: Path) -> Stack:
        grouped: dict[int, dict[str, NDArray[Any]]] = {}
        arrays = tensors_in(folder / FILE, load_file)
        of = arrays.pop("model_of")
        for name, array in arrays.items():
            number, _, key = name.partition(".")
            grouped.setdefault(int(number), {})[key] = array
        models = tuple(self.model(**grouped[number]) for number in sorted(grouped))
        return Stack(models, tuple(of.tolist()))

    def _sample(
        self, parts: Iterable[tuple[Site, NDArray[np.int64], float]], balanced: bool = False
    ) -> Sample:
        parts = list(parts)
        labels = np.concatenate([site.labels[rows] for site, rows, _ in parts])
        weights = np.concatenate([np.full(len(rows), weight) for _, rows, weight in parts])
        if balanced:
            counts = np.bincount(labels, minlength=self.context.classes)
            shares = np.maximum(counts, 1) / len(labels)
            weights = weights * (1 / self.context.classes / shares)[labels]
        matrices = [self._findings(site, rows) for site, rows, _ in parts]
        return Sample(vstack(matrices, format="csr"), labels, weights, self.context.classes)

    def _findings(self, site: Site, rows: NDArray[np.int64]) -> csr_matrix:
        return findings_matrix(site.offsets, site.tokens, rows, self.context.tokens)
