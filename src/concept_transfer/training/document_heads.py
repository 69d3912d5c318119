"""Heads on the vectors of documents: ridge multinomial regression, or nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.multinomial import Classes, Multinomial, fit, path_along
from concept_transfer.models.neighbours import NUMBERS, Neighbours
from concept_transfer.models.penalties import USUAL, VARIANCES, judging_folds, thinned
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.training.tuning import Judge

Floats = NDArray[np.float64]
Folds = NDArray[np.int64]


@dataclass(frozen=True)
class Heads:
    """of_folds: fold -> the head that was fitted without it; none where the others hold one class;
    of_all: that of all documents; held: float64 [n, classes], what heads without a document's fold
    say of it, NaN where none does."""

    of_folds: dict[int, Multinomial]
    of_all: Multinomial
    held: Floats


def fit_heads(data: Classes, folds: Folds) -> Heads:
    """folds: int64 [n], -1 for documents that are never left out. The penalty is chosen by the
    folds, that of a fold's own head by the others, each at its best intercepts and slope: those
    that rank best are drawn to 0 too much for the log loss as it is. A head has that slope."""
    few, few_folds = thinned(data, folds)
    said = [np.full((len(few.labels), data.count), np.nan) for _ in VARIANCES]
    for fold in judging_folds(few.labels, few_folds):
        out = few_folds == fold
        for place, scores in enumerate(path_along(few, out).scores):
            said[place][out] = scores
    judge = Judge(few.labels, few_folds, np.isfinite(said[0]).all(axis=1))

    def fitted(training: Classes, without: int | None) -> Multinomial:
        if not (judge.known & (few_folds != without)).any():
            return fit(training, VARIANCES[USUAL])
        place = judge.best(said, without)
        slope = judge.change(said[place], without).slope
        stretched = Recalibration(slope, np.zeros(data.count))
        return fit(training, VARIANCES[place]).recalibrated(stretched)

    of_folds = {
        fold: fitted(data.take(folds != fold), fold) for fold in judging_folds(data.labels, folds)
    }
    held = np.full((len(data.labels), data.count), np.nan)
    for fold, head in of_folds.items():
        held[folds == fold] = head.predict_proba(data.findings[folds == fold])
    return Heads(of_folds, fitted(data, None), held)


def fit_neighbours(data: Classes, folds: Folds) -> tuple[Neighbours, Floats]:
    """Nearest neighbours, and what those of other folds say of a document, as `Heads.held`. Their
    number is chosen by log loss over folds, for a fold's own by the others."""
    said = np.full((len(NUMBERS), len(data.labels), data.count), np.nan)
    whole = Neighbours.of(data.findings, data.labels, data.weights, data.count, NUMBERS[0])
    known = judging_folds(data.labels, folds)
    for fold in known:
        out = folds == fold
        rest = whole.among(~out)
        said[:, out] = [rest.near(number).predict_proba(data.findings[out]) for number in NUMBERS]
    truth = np.take_along_axis(said, data.labels[None, :, None].astype(np.int64), 2)[..., 0]
    lost = -np.log(truth) * data.weights
    held = np.full((len(data.labels), data.count), np.nan)
    for fold in known:
        elsewhere = np.isin(folds, known) & (folds != fold)
        place = int(lost[:, elsewhere].sum(axis=1).argmin()) if elsewhere.any() else 0
        held[folds == fold] = said[place, folds == fold]
    best = int(lost[:, np.isin(folds, known)].sum(axis=1).argmin()) if known else 0
    return whole.near(NUMBERS[best]), held
