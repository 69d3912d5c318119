"""Simple classifiers on one-hot findings, the yardstick for everything else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from concept_transfer.errors import StudyError, choices

INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0)
DEFAULT_INVERSE_PENALTY = 0.1
DEFAULT_TREES = 20
MOST_TREES = 100
HISTOGRAM_FROM = 2000  # training rows
MIN_SAMPLES_LEAF = 20  # of histogram trees

Classifier = Any  # a fitted scikit-learn estimator with predict_proba


def findings_matrix(
    offsets: NDArray[np.int64],
    tokens: NDArray[np.int32],
    rows: NDArray[np.int64],
    vocabulary_size: int,
) -> csr_matrix:
    """0/1 matrix [rows, tokens] of the given encounters."""
    lengths = offsets[rows + 1] - offsets[rows]
    pointers = np.concatenate([[0], lengths.cumsum()])
    within = np.arange(pointers[-1]) - np.repeat(pointers[:-1], lengths)
    columns = tokens[np.repeat(offsets[rows], lengths) + within]
    ones = np.ones(len(columns), dtype=np.float64)
    return csr_matrix((ones, columns, pointers), shape=(len(rows), vocabulary_size))


def fit_baseline(
    classifier: str,
    train: csr_matrix,
    labels: NDArray[np.int8],
    weights: NDArray[np.float64],
    validation: csr_matrix,
    validation_labels: NDArray[np.int8],
    choose: bool,
) -> Classifier:
    """Fit `logistic` or `gradient_boosting` (scikit-learn).

    Validation log loss chooses the L2 penalty (logistic) or the number of trees, where `choose`;
    too few positives leave the defaults (C = 0.1; 20 trees).
    """
    if classifier == "logistic":
        return _logistic(train, labels, weights, validation, validation_labels, choose)
    if classifier == "gradient_boosting":
        return _Boosting.fit(train, labels, weights, validation, validation_labels, choose)
    raise StudyError(
        f"unknown baseline '{classifier}'; choose from {choices(['logistic', 'gradient_boosting'])}"
    )


def _logistic(
    train: csr_matrix,
    labels: NDArray[np.int8],
    weights: NDArray[np.float64],
    validation: csr_matrix,
    validation_labels: NDArray[np.int8],
    choose: bool,
) -> Classifier:
    from sklearn.linear_model import LogisticRegression

    def fitted(penalty: float) -> Any:
        model = LogisticRegression(C=penalty, max_iter=1000)
        return model.fit(train, labels, sample_weight=weights)

    if not choose:
        return fitted(DEFAULT_INVERSE_PENALTY)
    models = [fitted(penalty) for penalty in INVERSE_PENALTIES]
    losses = [_log_loss(validation_labels, model.predict_proba(validation)) for model in models]
    return models[int(np.argmin(losses))]


class _Boosting:
    """Gradient boosting on the findings that can carry a split.

    Below `HISTOGRAM_FROM` training rows scikit-learn's plain trees of depth 3, whose leaves may
    hold a single row, each split chosen among a random square root of the findings (Breiman 2001,
    Machine Learning 45): on few rows, trees that see all findings repeat each other's chance
    splits. From there on histogram trees with twenty rows a leaf, which are as good and quicker.
    """

    def __init__(self, model: Any, columns: NDArray[np.int64], trees: int) -> None:
        self.model, self.columns, self.trees = model, columns, trees

    @classmethod
    def fit(
        cls,
        train: csr_matrix,
        labels: NDArray[np.int8],
        weights: NDArray[np.float64],
        validation: csr_matrix,
        validation_labels: NDArray[np.int8],
        choose: bool,
    ) -> _Boosting:
        model, leaf = _booster(train.shape[0])
        present = np.asarray(train.sum(axis=0)).ravel()
        columns = np.flatnonzero((present >= leaf) & (present <= train.shape[0] - leaf))
        if not len(columns):
            columns = np.arange(1)
        model.fit(train[:, columns].toarray(), labels, sample_weight=weights)
        boosting = cls(model, columns, DEFAULT_TREES)
        if choose:
            losses = [_log_loss(validation_labels, p) for p in boosting._staged(validation)]
            boosting.trees = int(np.argmin(losses)) + 1
        return boosting

    def predict_proba(self, matrix: csr_matrix) -> NDArray[np.float64]:
        return np.asarray(next(islice(self._staged(matrix), self.trees - 1, None)))

    def _staged(self, matrix: csr_matrix) -> Iterator[NDArray[np.float64]]:
        staged: Iterator[NDArray[np.float64]] = self.model.staged_predict_proba(
            matrix[:, self.columns].toarray()
        )
        return staged


def _booster(rows: int) -> tuple[Any, int]:
    """The unfitted model for so many training rows, and the fewest rows that a leaf holds."""
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

    if rows < HISTOGRAM_FROM:
        return GradientBoostingClassifier(
            n_estimators=MOST_TREES, max_features="sqrt", random_state=0
        ), 1
    return HistGradientBoostingClassifier(
        max_iter=MOST_TREES,
        min_samples_leaf=MIN_SAMPLES_LEAF,
        early_stopping=False,
        random_state=0,
    ), MIN_SAMPLES_LEAF


def _log_loss(labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> float:
    """Mean log loss of probabilities [n, 2], without the checks that cost scikit-learn more."""
    of_truth = np.take_along_axis(probabilities, labels[:, None].astype(np.int64), 1)
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float64).tiny)).mean())


def fit_logistic(train, validation, choose):
    return fit_baseline(
        "logistic",
        train.findings,
        train.labels,
        train.weights,
        validation.findings,
        validation.labels,
        choose,
    )


def fit_gradient_boosting(train, validation, choose):
    return fit_baseline(
        "gradient_boosting",
        train.findings,
        train.labels,
        train.weights,
        validation.findings,
        validation.labels,
        choose,
    )


LogisticModel = BoostedTrees = None
