"""Logistic regression on the words of documents, at work on the replicates of a context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import vstack

from concept_transfer.cohorts.splits import NEVER_TESTED
from concept_transfer.inputs.text import Texts
from concept_transfer.learners.learner import Context, CrossFitted, Fitted
from concept_transfer.learners.tfidf import Tfidf
from concept_transfer.models.bundle import tensors_in
from concept_transfer.models.multinomial import Classes, Multinomial, cross_fit
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.models.word_space import WordSpace
from concept_transfer.progress import Progress
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Part, Plan
from concept_transfer.training.one_by_one import balance, weights_of

FILE = "models.safetensors"
SEED = 0  # of the axes, which nobody redraws

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class WordModels:
    """R models; those of one space share it, and those of the same labels a head. of: for each
    replicate the place of its space and of its head."""

    spaces: tuple[WordSpace, ...]
    heads: tuple[Multinomial, ...]
    of: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.of)

    def pair(self, replicate: int) -> tuple[WordSpace, Multinomial]:
        space, head = self.of[replicate]
        return self.spaces[space], self.heads[head]

    def select(self, replicates: list[int]) -> WordModels:
        """Those of some of the replicates, by place."""
        return collected([self.pair(i) for i in replicates])


def collected(models: Sequence[tuple[WordSpace, Multinomial]]) -> WordModels:
    """Models from spaces and heads, one a replicate."""
    spaces = {id(space): space for space, _ in models}
    heads = {id(head): head for _, head in models}
    places = [{key: place for place, key in enumerate(each)} for each in (spaces, heads)]
    of = tuple((places[0][id(space)], places[1][id(head)]) for space, head in models)
    return WordModels(tuple(spaces.values()), tuple(heads.values()), of)


class WordFamily:
    """Fits a model for every distinct set of labels, in a space of words that they share."""

    def __init__(self, settings: Tfidf, context: Context) -> None:
        self.settings, self.context = settings, context
        self._known: dict[tuple[int, int], tuple[WordSpace, Texts, Any]] = {}

    def cross_fit(self, plan: Plan, training: Training, folds: Rows) -> CrossFitted:
        spaces: dict[bytes, WordSpace] = {}
        found: dict[bytes, tuple[WordSpace, Multinomial, NDArray[np.float64]]] = {}
        keys = []
        progress = Progress("fits", len(folds))
        for i, own in enumerate(folds):
            rows = [part.rows[i] for part in plan.train]
            keys.append(b"|".join([own.tobytes(), *(each.tobytes() for each in rows)]))
            if keys[-1] not in found:
                read = [learned_from(part, own) for part, own in zip(plan.train, rows, strict=True)]
                key = b"|".join(each.tobytes() for each in read)
                if key not in spaces:
                    spaces[key] = self._space(plan.train, read)
                problem = self._problem(spaces[key], plan.train, rows, training)
                others = sum(map(len, rows[1:]))
                head, held = cross_fit(problem, np.pad(own, (0, others), constant_values=-1))
                found[keys[-1]] = spaces[key], head, held[: len(own)]
            progress.advance()
        fits = [found[key] for key in keys]
        models = collected([(space, head) for space, head, _ in fits])
        nothing: list[Any] = [0] * len(keys)
        fitted = Fitted(models, nothing, [False] * len(keys))
        return CrossFitted(fitted, np.stack([held for _, _, held in fits]))

    def predict(self, models: WordModels, site: Site, rows: Rows) -> NDArray[np.float64]:
        said: dict[tuple[int, int], NDArray[np.float64]] = {}
        for place in set(models.of):
            space, head = models.spaces[place[0]], models.heads[place[1]]
            said[place] = head.predict_proba(self._features(space, site.inputs["text"])[rows])
        return np.stack([said[place] for place in models.of])

    def one_of(self, models: Sequence[WordModels], of: Sequence[int]) -> WordModels:
        return collected([models[k].pair(i) for i, k in enumerate(of)])

    def recalibrated(self, models: WordModels, changes: Sequence[Recalibration]) -> WordModels:
        pairs = [models.pair(i) for i in range(len(models))]
        return collected(
            [
                (space, head.recalibrated(change))
                for (space, head), change in zip(pairs, changes, strict=True)
            ]
        )

    def write(self, models: WordModels, folder: Path) -> None:
        arrays: dict[str, NDArray[Any]] = {"of": np.array(models.of, np.int64)}
        parts = {f"space.{k}": space.arrays() for k, space in enumerate(models.spaces)}
        parts |= {f"head.{k}": head.arrays() for k, head in enumerate(models.heads)}
        for part, own in parts.items():
            arrays |= {f"{part}.{name}": array for name, array in own.items()}
        save_file({k: np.array(v, order="C") for k, v in arrays.items()}, folder / FILE)

    def read(self, folder: Path) -> WordModels:
        arrays = tensors_in(folder / FILE, load_file)
        of = tuple((int(space), int(head)) for space, head in arrays.pop("of"))
        grouped: dict[str, dict[int, dict[str, NDArray[Any]]]] = {"space": {}, "head": {}}
        for key, array in arrays.items():
            kind, number, name = key.split(".", 2)
            grouped[kind].setdefault(int(number), {})[name] = array
        spaces = [WordSpace.from_arrays(grouped["space"][k]) for k in sorted(grouped["space"])]
        heads = [Multinomial.from_arrays(grouped["head"][k]) for k in sorted(grouped["head"])]
        return WordModels(tuple(spaces), tuple(heads), of)

    def _space(self, parts: Sequence[Part], rows: Sequence[Rows]) -> WordSpace:
        texts = [
            part.site.inputs["text"][row]
            for part, own in zip(parts, rows, strict=True)
            for row in own.tolist()
        ]
        return WordSpace.of(texts, self.settings.min_count, self.settings.lsa, SEED)

    def _problem(
        self, space: WordSpace, parts: Sequence[Part], rows: Sequence[Rows], training: Training
    ) -> Classes:
        weighed = [(part.site, own, part.weight) for part, own in zip(parts, rows, strict=True)]
        features = [self._features(space, site.inputs["text"])[own] for site, own, _ in weighed]
        labels = np.concatenate([site.labels[own] for site, own, _ in weighed])
        weights = weights_of(weighed)
        if training.class_weight == "balanced":
            weights = weights * balance(labels, self.context.classes)
        joined = np.concatenate(features) if self.settings.lsa else vstack(features, format="csr")
        return Classes(joined, labels, weights, self.context.classes)

    def _features(self, space: WordSpace, texts: Texts) -> Any:
        """Of all documents of a site, computed once."""
        key = id(space), id(texts)
        if key not in self._known:
            self._known[key] = space, texts, space.features(texts)
        return self._known[key][2]


def learned_from(part: Part, rows: Rows) -> Rows:
    """The documents of a site that words are learned from: those that never test or, where all
    test in turn (folds), those that a model is trained on."""
    untested = np.flatnonzero(part.site.split.fold == NEVER_TESTED)
    return untested if len(untested) else np.sort(rows)
