"""Encoders of histories as a learner: a strategy's plan in, tuned encoders with heads out."""

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
from concept_transfer.learners.history import History
from concept_transfer.learners.learner import Context, CrossFitted, Fitted
from concept_transfer.models.alignment import Affine, Moments
from concept_transfer.models.history_models import Body, HistoryModels, collected
from concept_transfer.models.history_reader import Reading
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.pretraining.batches import Sequences
from concept_transfer.pretraining.encoder import CARD, EncoderFiles
from concept_transfer.progress import Progress, within
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Plan
from concept_transfer.training.history_heads import AS_IT_CAME
from concept_transfer.training.history_network import Encounters, Rates
from concept_transfer.training.history_tuning import tune
from concept_transfer.training.one_by_one import balance, weights_of
from concept_transfer.training.tuning import Tuned

_log = logging.getLogger(__name__)


class HistoryFamily:
    """R encoders with heads. Replicates with the same encoder and the same encounters share one."""

    def __init__(self, settings: History, context: Context) -> None:
        torch.set_num_threads(context.threads)
        self.settings, self.context = settings, context
        self.reading = Reading(settings.head, settings.pooling, context.outcome_codes)

    def untaught(self) -> HistoryModels:
        return collected([(body, AS_IT_CAME) for body in self._bodies()])

    def cross_fit(self, plan: Plan, training: Training, folds: NDArray[np.int64]) -> CrossFitted:
        """Heads on the encoders as they are, and where the plan tunes these, both for as many
        epochs as held-out labels choose (`tuning.tune`)."""
        start: HistoryModels | None = plan.start
        begin = time.monotonic()
        target = plan.train[0]
        bodies = self._bodies() if start is None else [start.body(i) for i in range(len(start))]
        untrained = AS_IT_CAME if self.settings.reads_codes else None
        choose = enough_labels(target.site.cohort, target.rows)
        found: dict[tuple[Any, ...], Tuned] = {}
        keys = []
        progress = Progress("fits", len(folds))
        for i, (body, own) in enumerate(zip(bodies, folds, strict=True)):
            prior = untrained if start is None else start.heads[i]
            given = (
                None if prior is None else prior.intercepts.tobytes() + prior.coefficients.tobytes()
            )
            rows = [part.rows[i] for part in plan.train]
            keys.append((id(body), given, own.tobytes(), *(each.tobytes() for each in rows)))
            if keys[-1] not in found:
                found[keys[-1]] = tune(
                    body,
                    prior,
                    self._encounters(body, plan, rows, training),
                    self.context.classes,
                    np.concatenate([own, *(np.full(len(each), -1) for each in rows[1:])]),
                    self._rates(plan),
                    self._epochs(plan) if choose[i] else 0,
                    [self.context.keys[i] % 2**63],
                    self.context.device,
                )
            progress.advance()
        tuned = [found[key] for key in keys]
        epochs, diverged = (
            [getattr(each, name) for each in tuned] for name in ("epochs", "diverged")
        )
        _log.info(
            within(
                f"{len(found)} model(s) of {len(folds)} replicate(s) tuned for {epochs} epochs, "
                f"{time.monotonic() - begin:.1f} s"
            )
        )
        models = collected([(each.body, each.head) for each in tuned])
        held = np.stack([each.held[: folds.shape[1]] for each in tuned])
        return CrossFitted(Fitted(models, epochs, diverged), held)

    def predict(
        self, models: HistoryModels, site: Site, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        history, device = site.inputs["history"], self.context.device
        features = [body.features(history, rows, device) for body in models.bodies]
        said = [
            head.predict_proba(features[place])
            for place, head in zip(models.of, models.heads, strict=True)
        ]
        return np.stack(said)

    def one_of(self, models: Sequence[HistoryModels], of: Sequence[int]) -> HistoryModels:
        return collected([(models[k].body(i), models[k].heads[i]) for i, k in enumerate(of)])

    def recalibrated(
        self, models: HistoryModels, changes: Sequence[Recalibration]
    ) -> HistoryModels:
        heads = [head.recalibrated(each) for head, each in zip(models.heads, changes, strict=True)]
        return replace(models, heads=tuple(heads))

    def moments(self, models: HistoryModels, site: Site, rows: NDArray[np.int64]) -> list[Moments]:
        history, device = site.inputs["history"], self.context.device
        features = [body.features(history, rows, device) for body in models.bodies]
        known = [Moments.of(len(rows), each.sum(axis=0), each.T @ each) for each in features]
        return [known[place] for place in models.of]

    def mapped(self, models: HistoryModels, maps: Sequence[Affine]) -> HistoryModels:
        heads = [head.mapped(each) for head, each in zip(models.heads, maps, strict=True)]
        return replace(models, heads=tuple(heads))

    def write(self, models: HistoryModels, folder: Path) -> None:
        models.write(folder)

    def read(self, folder: Path) -> HistoryModels:
        return HistoryModels.read(folder)

    def _bodies(self) -> list[Body]:
        """The encoder of each replicate as it came."""
        if not self.context.encoders:
            raise StudyError("a model of histories needs an encoder")
        return [
            _body(folder, (folder / CARD).stat().st_mtime_ns, self.reading)
            for folder in self.context.encoders
        ]

    def _encounters(
        self, body: Body, plan: Plan, rows: Sequence[NDArray[np.int64]], training: Training
    ) -> Encounters:
        sites = [part.site for part in plan.train]
        labels = np.concatenate([site.labels[own] for site, own in zip(sites, rows, strict=True)])
        weights = weights_of(
            (part.site, own, part.weight) for part, own in zip(plan.train, rows, strict=True)
        )
        if training.class_weight == "balanced":
            weights = weights * balance(labels, self.context.classes)
        return Encounters(
            tuple(
                Sequences.of(site.inputs["history"], body.vocabulary, body.settings)
                for site in sites
            ),
            np.repeat(np.arange(len(sites)), [len(own) for own in rows]),
            np.concatenate(rows),
            labels.astype(np.int64),
            weights,
        )

    def _rates(self, plan: Plan) -> Rates:
        """A plan's stages, of which a last layer trained alone is always the first here."""
        settings, last = self.settings, plan.stages[-1]
        body = 0.0 if last.frozen else settings.learning_rate * last.body_rate
        pool = settings.head_rate if self.reading.learns else 0.0
        return Rates(body, pool, settings.head_rate, settings.batch_size, last.rank)

    def _epochs(self, plan: Plan) -> int:
        last = plan.stages[-1]
        if last.frozen and not self.reading.learns:
            return 0
        return min(self.settings.epochs, last.epochs or self.settings.epochs)


@cache
def _body(folder: Path, changed: int, reading: Reading) -> Body:
    """One for all cells of a job: what it says of a site is computed once."""
    return Body.of(EncoderFiles.read(folder), reading, 0)
