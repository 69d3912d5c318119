"""Models of two classes as models of any number: each class against the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.baselines import Examples
from concept_transfer.models.logistic_mode import Floats, TwoClasses
from concept_transfer.models.token_scores import Line, TokenScores, probabilities

Folds = NDArray[np.int64]
Fit = Callable[[TwoClasses, Folds], Line]
CrossFit = Callable[[TwoClasses, Folds], tuple[Line, Floats]]


def fit_all(
    fit: Fit,
    train: Examples,
    weights: Floats,
    folds: Folds,
    classes: int,
    prior: TokenScores | None,
) -> TokenScores:
    """A line of every class; folds: int64 [n], those that may choose, -1 for the others.

    A class that training lacks keeps the line of the prior, or without one has probability 0.
    """
    return TokenScores.of(
        [
            fit(data, folds) if data.labels.any() else unknown(data)
            for data in against_the_rest(train, weights, classes, prior)
        ]
    )


def cross_fit_all(
    cross_fit: CrossFit,
    train: Examples,
    weights: Floats,
    folds: Folds,
    classes: int,
    prior: TokenScores | None,
) -> tuple[TokenScores, Floats]:
    """The same, and probabilities [n, classes] by models without an encounter's fold.

    NaN for encounters of no fold (-1), and where the labels beside a fold are of one class.
    """
    lines, logits = [], []
    for data in against_the_rest(train, weights, classes, prior):
        line = unknown(data)
        held = line.logits(data.findings)
        if data.labels.any():
            line, held = cross_fit(data, folds)
        lines.append(line)
        logits.append(held)
    held = probabilities(np.stack(logits, axis=1))
    for fold in np.unique(folds):
        if fold < 0 or len(np.unique(train.labels[folds != fold])) < 2:
            held[folds == fold] = np.nan
    return TokenScores.of(lines), held


def against_the_rest(
    train: Examples, weights: Floats, classes: int, prior: TokenScores | None
) -> list[TwoClasses]:
    """The problem of class 1, of two classes, or those of every class."""
    problems = []
    for place, one in enumerate([1] if classes == 2 else range(classes)):
        line = prior.line(place) if prior is not None else None
        if line is not None and not np.isfinite(line.intercept):
            line = None
        labels = (train.labels == one).astype(np.float64)
        problems.append(TwoClasses(train.findings, labels, weights, line))
    return problems


def unknown(data: TwoClasses) -> Line:
    """The line of a class that training lacks."""
    return data.prior or Line(np.zeros(data.findings.shape[1]), -np.inf)
