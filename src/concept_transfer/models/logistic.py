"""Logistic regression on findings, multinomial for more than two classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit, softmax

from concept_transfer.models.alignment import Affine
from concept_transfer.models.baselines import Arrays, Examples, spread
from concept_transfer.models.recalibration import Recalibration

INVERSE_PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
USUAL = INVERSE_PENALTIES.index(0.1)


@dataclass(frozen=True)
class Logistic:
    """Fitted to the classes `present` int64 [C], ascending, of all K.

    coefficients: [1 or C, tokens] and intercepts [1 or C]: for two classes those of the later
    one's logit, for more those of every class.
    """

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    present: NDArray[np.int64]
    classes: int

    def predict_proba(self, matrix: csr_array) -> NDArray[np.float64]:
        """Probability of every class [n, K] of findings [n, tokens]."""
        scores = matrix @ self.coefficients.T + self.intercepts
        if scores.shape[1] > 1:
            probability = softmax(scores, axis=1)
        else:
            later = expit(scores)
            probability = np.hstack([1 - later, later])
        return spread(probability, self.present, self.classes)

    def recalibrated(self, change: Recalibration) -> Logistic:
        shift = change.intercepts[self.present]
        if len(self.intercepts) == 1:
            shift = shift[1:] - shift[:1]
        coefficients = change.slope * self.coefficients
        return replace(
            self, coefficients=coefficients, intercepts=change.slope * self.intercepts + shift
        )

    def mapped(self, change: Affine) -> Logistic:
        intercepts = self.intercepts + self.coefficients @ change.shift
        return replace(
            self, coefficients=self.coefficients @ change.matrix.T, intercepts=intercepts
        )

    def arrays(self) -> Arrays:
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Logistic:
        return cls(
            arrays["coefficients"],
            arrays["intercepts"],
            arrays["present"],
            int(arrays["classes"]),
        )


def fit_logistic(train: Examples, weights: NDArray[np.float64], classes: int = 2) -> list[Logistic]:
    """A model for each of `INVERSE_PENALTIES`, by scikit-learn.

    weights: [n], each encounter's in the loss. The labels hold two classes at least.
    """
    from sklearn.linear_model import LogisticRegression

    path = []
    for inverse_penalty in INVERSE_PENALTIES:
        model = LogisticRegression(C=inverse_penalty, max_iter=1000)
        model.fit(train.findings, train.labels, sample_weight=weights)
        present = model.classes_.astype(np.int64)
        path.append(Logistic(model.coef_, model.intercept_, present, classes))
    return path
