"""Simple classifiers on one-hot findings, the yardstick for everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from concept_transfer.errors import StudyError, choices

INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0)
DEFAULT_INVERSE_PENALTY = 0.1
MIN_SAMPLES_LEAF = 20

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
    too few positives leave the defaults (C = 0.1; 100 trees).
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
    """Histogram gradient boosting on the findings that can carry a split."""

    def __init__(self, model: Any, columns: NDArray[np.int64]) -> None:
        self.model, self.columns = model, columns
        self.trees: int | None = None

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
        from sklearn.ensemble import HistGradientBoostingClassifier

        present = np.asarray(train.sum(axis=0)).ravel()
        columns = np.flatnonzero(
            (present >= MIN_SAMPLES_LEAF) & (present <= train.shape[0] - MIN_SAMPLES_LEAF)
        )
        if not len(columns):
            columns = np.arange(1)
        model = HistGradientBoostingClassifier(
            max_iter=100, min_samples_leaf=MIN_SAMPLES_LEAF, early_stopping=False, random_state=0
        )
        model.fit(train[:, columns].toarray(), labels, sample_weight=weights)
        boosting = cls(model, columns)
        if choose:
            staged = model.staged_predict_proba(validation[:, columns].toarray())
            losses = [_log_loss(validation_labels, probabilities) for probabilities in staged]
            boosting.trees = int(np.argmin(losses))
        return boosting

    def predict_proba(self, matrix: csr_matrix) -> NDArray[np.float64]:
        dense = matrix[:, self.columns].toarray()
        if self.trees is None:
            return np.asarray(self.model.predict_proba(dense))
        staged = self.model.staged_predict_proba(dense)
        return np.asarray(next(p for tree, p in enumerate(staged) if tree == self.trees))


def _log_loss(labels: NDArray[np.int8], probabilities: NDArray[np.float64]) -> float:
    """Mean log loss of probabilities [n, 2], without the checks that cost scikit-learn more."""
    of_truth = np.take_along_axis(probabilities, labels[:, None].astype(np.int64), 1)
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float64).tiny)).mean())
