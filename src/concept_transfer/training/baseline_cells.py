"""One cell's block of replicates for the simple classifiers on one-hot findings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from concept_transfer.cohorts.budget import Rows, allow_choice, draw_budget, replicate_key
from concept_transfer.models.baselines import Classifier, findings_matrix, fit_baseline
from concept_transfer.progress import Progress
from concept_transfer.sites.site import Site
from concept_transfer.training.predictions import Predictions, record


@dataclass(frozen=True)
class Part:
    """Encounters of one site, each with the same weight in the loss."""

    site: Site
    rows: Rows
    weight: float = 1.0

    @property
    def labels(self) -> NDArray[np.int8]:
        return self.site.labels[self.rows]


def baseline_cell(
    target: Site,
    classifier: str,
    size: str,
    vocabulary_size: int,
    seed: int,
    replicates: list[int],
    balanced: bool = False,
    source: Site | None = None,
    source_weight: float = 1.0,
) -> Predictions:
    """`local` (no source), `direct` (size "0") or `pooled` with a simple classifier.

    Replicates differ in their draw of target encounters alone; where the draws are equal (the
    whole pool, or none) one fit serves them all. A draw with one class only is recorded as not
    estimable.
    """
    predictions = Predictions(target)
    trainer = _Trainer(classifier, vocabulary_size, balanced)
    keys = [replicate_key(seed, replicate) for replicate in replicates]
    borrowed: list[Part] = []
    if source is not None:
        source_train, source_validation = source.split.source_parts()
        borrowed = [Part(source, source_train, source_weight)]
    progress = Progress("fits", len(target.split.folds) * len(replicates))
    for fold in target.split.folds:
        _, pool, test = target.split.parts(fold)
        budget = draw_budget(target.cohort, fold, size, keys) if size != "0" else None
        for i, replicate in enumerate(replicates):
            if budget is not None:
                own = Part(target, np.sort(budget.train[i]))
                checked = Part(target, np.sort(budget.validation[i]))
                parts, shown = [own, *borrowed], checked.rows
                found = int(own.labels.sum())
                counts = (len(own.rows), len(checked.rows), found)
                choose = bool(allow_choice(target.cohort, own.rows[None], checked.rows[None])[0])
            else:
                assert source is not None
                parts, shown, counts = borrowed, pool, (0, 0, 0)
                checked = Part(source, source_validation)
                offered = (source_train[None], source_validation[None])
                choose = bool(allow_choice(source.cohort, *offered)[0])
            model = trainer.fit(parts, checked, choose and len(checked.rows) > 0)
            for is_test, rows in ((False, shown), (True, test)):
                probability = trainer.predict(model, target, rows)
                predictions.add(replicate, fold, is_test, rows, probability)
            status = "not estimable" if model is None else "ok"
            predictions.records.append(record(replicate, fold, status, 0, *counts))
            progress.advance()
    return predictions


@dataclass
class _Trainer:
    """Fits a classifier once for every distinct set of training and validation rows."""

    classifier: str
    vocabulary_size: int
    balanced: bool
    fitted: dict[bytes, Classifier | None] = field(default_factory=dict)

    def fit(self, parts: list[Part], checked: Part, choose: bool) -> Classifier | None:
        """The fitted classifier, or None where the labels are all equal."""
        key = b"|".join(part.rows.tobytes() for part in [*parts, checked])
        if key not in self.fitted:
            labels = np.concatenate([part.labels for part in parts])
            weights = np.concatenate([np.full(len(part.rows), part.weight) for part in parts])
            if self.balanced:
                share = labels.mean()
                weights = weights * np.where(labels == 1, 0.5 / share, 0.5 / (1 - share))
            self.fitted[key] = (
                None
                if labels.min() == labels.max()
                else fit_baseline(
                    self.classifier,
                    self._findings(parts),
                    labels,
                    weights,
                    self._findings([checked]),
                    checked.labels,
                    choose,
                )
            )
        return self.fitted[key]

    def predict(self, model: Classifier | None, site: Site, rows: Rows) -> NDArray[np.float64]:
        """Probabilities of the positive class [n]; NaN without a model."""
        if model is None or not len(rows):
            return np.full(len(rows), np.nan)
        return np.asarray(model.predict_proba(self._findings([Part(site, rows)]))[:, 1])

    def _findings(self, parts: list[Part]) -> csr_matrix:
        matrices = [
            findings_matrix(part.site.offsets, part.site.tokens, part.rows, self.vocabulary_size)
            for part in parts
        ]
        return vstack(matrices, format="csr")
