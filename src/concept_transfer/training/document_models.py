"""Language models as a learner: a strategy's plan in, heads on (tuned) language models out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import enough_labels
from concept_transfer.errors import StudyError
from concept_transfer.inputs.text import Texts
from concept_transfer.learners.document import Document
from concept_transfer.learners.learner import Context, CrossFitted, Fitted
from concept_transfer.models.alignment import Affine, Moments
from concept_transfer.models.document_models import DocumentModels, collected
from concept_transfer.models.document_reader import Body, LanguageModelFiles
from concept_transfer.models.document_vectors import read_vectors, vectors_file
from concept_transfer.models.multinomial import Classes, Multinomial
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.progress import Progress, within
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Plan
from concept_transfer.training.document_heads import fit_heads, fit_neighbours
from concept_transfer.training.document_network import Labelled, Rates
from concept_transfer.training.document_tuning import tune
from concept_transfer.training.one_by_one import WeighedRows, balance, weights_of
from concept_transfer.training.tuning import Tuned

_log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class DocumentFamily:
    """R language models with heads. Replicates with the same encoder and labels share one."""

    def __init__(self, settings: Document, context: Context) -> None:
        torch.set_num_threads(context.threads)
        self.settings, self.context = settings, context
        self._known: dict[tuple[Path, int], tuple[Texts, NDArray[np.float32]]] = {}

    def cross_fit(self, plan: Plan, training: Training, folds: Rows) -> CrossFitted:
        """Heads on the language models as they are, and where the plan tunes these, both for as
        many epochs as held-out labels choose (`tuning.tune`)."""
        begin = time.monotonic()
        start: DocumentModels | None = plan.start
        bodies = self._bodies() if start is None else [start.body(i) for i in range(len(start))]
        choose = enough_labels(plan.train[0].site.cohort, plan.train[0].rows)
        found: dict[tuple[Any, ...], Tuned] = {}
        keys = []
        progress = Progress("fits", len(folds))
        for i, (body, own) in enumerate(zip(bodies, folds, strict=True)):
            prior = None if start is None else start.heads[i]
            parts = [(part.site, part.rows[i], part.weight) for part in plan.train]
            rows = [each.tobytes() for _, each, _ in parts]
            keys.append((id(body), _content(prior), own.tobytes(), *rows))
            if keys[-1] not in found:
                others = sum(len(each) for _, each, _ in parts[1:])
                padded = np.pad(own, (0, others), constant_values=-1)
                epochs = self._epochs(plan) if choose[i] else 0
                found[keys[-1]] = self._fit(body, prior, parts, padded, plan, training, epochs, i)
            progress.advance()
        tuned = [found[key] for key in keys]
        after = [each.epochs for each in tuned]
        _log.info(
            within(
                f"{len(found)} model(s) of {len(folds)} replicate(s) tuned for {after} epochs, "
                f"{time.monotonic() - begin:.1f} s"
            )
        )
        models = collected([(each.body, each.head) for each in tuned])
        held = np.stack([each.held[: folds.shape[1]] for each in tuned])
        return CrossFitted(Fitted(models, after, [each.diverged for each in tuned]), held)

    def predict(self, models: DocumentModels, site: Site, rows: Rows) -> Floats:
        features = [self._features(body, site, rows) for body in models.bodies]
        pairs = zip(models.of, models.heads, strict=True)
        return np.stack([head.predict_proba(features[place]) for place, head in pairs])

    def one_of(self, models: Sequence[DocumentModels], of: Sequence[int]) -> DocumentModels:
        return collected([(models[k].body(i), models[k].heads[i]) for i, k in enumerate(of)])

    def recalibrated(
        self, models: DocumentModels, changes: Sequence[Recalibration]
    ) -> DocumentModels:
        heads = [
            _linear(h).recalibrated(each) for h, each in zip(models.heads, changes, strict=True)
        ]
        return replace(models, heads=tuple(heads))

    def moments(self, models: DocumentModels, site: Site, rows: Rows) -> list[Moments]:
        features = [self._features(body, site, rows) for body in models.bodies]
        known = [Moments.of(len(rows), each.sum(axis=0), each.T @ each) for each in features]
        return [known[place] for place in models.of]

    def mapped(self, models: DocumentModels, maps: Sequence[Affine]) -> DocumentModels:
        heads = [_linear(head).mapped(each) for head, each in zip(models.heads, maps, strict=True)]
        return replace(models, heads=tuple(heads))

    def write(self, models: DocumentModels, folder: Path) -> None:
        models.write(folder)

    def read(self, folder: Path) -> DocumentModels:
        encoders = [body.files for body in dict.fromkeys(self._bodies())]
        return DocumentModels.read(folder, self.settings.head, encoders)

    def _fit(
        self,
        body: Body,
        prior: Any,
        parts: Sequence[WeighedRows],
        folds: Rows,
        plan: Plan,
        training: Training,
        epochs: int,
        replicate: int,
    ) -> Tuned:
        features = np.concatenate([self._features(body, site, rows) for site, rows, _ in parts])
        labels = np.concatenate([site.labels[rows] for site, rows, _ in parts])
        weights, classes = weights_of(parts), self.context.classes
        if not self.settings.is_linear:
            neighbours, held = fit_neighbours(Classes(features, labels, weights, classes), folds)
            return Tuned(body, neighbours, 0, held)
        if training.class_weight == "balanced":
            weights = weights * balance(labels, classes)
        heads = fit_heads(Classes(features, labels, weights, classes, prior), folds)
        if not epochs:
            return Tuned(body, heads.of_all, 0, heads.held)
        tokens = [
            ids
            for site, rows, _ in parts
            for ids in body.files.tokens([site.inputs["text"][row] for row in rows.tolist()])
        ]
        documents = Labelled(tokens, labels.astype(np.int64), weights)
        seed, fewest = [self.context.keys[replicate] % 2**63], min(self.settings.fewest, epochs)
        rates, device = self._rates(plan), self.context.device
        return tune(body, heads, documents, folds, rates, epochs, fewest, seed, device)

    def _features(self, body: Body, site: Site, rows: Rows) -> Floats:
        """[n, width]; by a language model as it came a job of its own computed them, or they are
        computed here, once for all cells."""
        texts, device, folder = site.inputs["text"], self.context.device, body.files.folder
        if body.weights:
            progress = Progress("documents", len(rows))
            return body.features(texts, rows, device, progress.advance).astype(np.float64)
        if vectors_file(folder, site.name).is_file():
            return read_vectors(folder, site.name, len(texts))[rows].astype(np.float64)
        key = folder, id(texts)
        if key not in self._known:
            every, progress = np.arange(len(texts)), Progress("documents", len(texts))
            self._known[key] = texts, body.features(texts, every, device, progress.advance)
        return self._known[key][1][rows].astype(np.float64)

    def _bodies(self) -> list[Body]:
        """The language model of each replicate as it came."""
        if not self.context.encoders:
            raise StudyError("a model of documents needs an encoder of kind text")
        return [_body(folder) for folder in self.context.encoders]

    def _rates(self, plan: Plan) -> Rates:
        """A plan's stages, of which a last layer trained alone is always the first here."""
        settings, last = self.settings, plan.stages[-1]
        body = settings.learning_rate * last.body_rate
        contrast = settings.objective == "contrast"
        return Rates(body, settings.head_rate, settings.batch_size, settings.layers, contrast)

    def _epochs(self, plan: Plan) -> int:
        last = plan.stages[-1]
        if last.frozen or last.body_rate == 0:
            return 0
        return min(self.settings.epochs, last.epochs or self.settings.epochs)


@cache
def _body(folder: Path) -> Body:
    """One for all cells of a job."""
    return Body(LanguageModelFiles(folder), {})


def _linear(head: Any) -> Multinomial:
    assert isinstance(head, Multinomial), "heads of neighbours are neither changed nor mapped"
    return head


def _content(head: Any) -> bytes:
    return b"" if head is None else b"".join(each.tobytes() for each in head.arrays().values())
