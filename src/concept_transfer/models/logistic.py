"""Logistic regression on findings, multinomial for more than two classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit, softmax

from concept_transfer.models.baselines import Arrays, Examples, losses, spread

INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0)
DEFAULT_INVERSE_PENALTY = 0.1


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


def fit_logistic(
    train: Examples,
    weights: NDArray[np.float64],
    validation: Examples,
    choose: bool,
    classes: int = 2,
) -> Logistic:
    """Fit with scikit-learn; validation log loss chooses the L2 penalty, or else C is 0.1.

    weights: [n], each encounter's in the loss. The labels hold two classes at least.
    """
    from sklearn.linear_model import LogisticRegression

    def fitted(penalty: float) -> Logistic:
        model = LogisticRegression(C=penalty, max_iter=1000)
        model.fit(train.findings, train.labels, sample_weight=weights)
        present = model.classes_.astype(np.int64)
        return Logistic(model.coef_, model.intercept_, present, classes)

    if not choose:
        return fitted(DEFAULT_INVERSE_PENALTY)
    models = [fitted(penalty) for penalty in INVERSE_PENALTIES]
    scores = [
        losses(model.predict_proba(validation.findings), validation.labels).mean()
        for model in models
    ]
    return models[int(np.argmin(scores))]
