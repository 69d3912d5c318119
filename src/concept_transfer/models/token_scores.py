"""Linear models of tokens: what every learner ends as that is linear in an encounter's findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import log_expit, softmax

from concept_transfer.models.alignment import Affine
from concept_transfer.models.baselines import Arrays
from concept_transfer.models.recalibration import Recalibration


@dataclass(frozen=True)
class Line:
    """Log odds of one class: coefficients float64 [tokens], and an intercept."""

    coefficients: NDArray[np.float64]
    intercept: float

    def logits(self, findings: csr_array) -> NDArray[np.float64]:
        """Of the rows of a 0/1 matrix [n, tokens], float64 [n]."""
        scores: NDArray[np.float64] = findings @ self.coefficients + self.intercept
        return scores


@dataclass(frozen=True)
class TokenScores:
    """The line of class 1 for two classes; for more, one a class, each against the rest.

    coefficients: float64 [1 or K, tokens]; intercepts: float64 [1 or K], minus infinity for a
    class that training did not know; change: of the probabilities, if there is one.
    """

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    change: Recalibration | None = None

    @classmethod
    def of(cls, lines: Sequence[Line]) -> TokenScores:
        return cls(
            np.stack([line.coefficients for line in lines]),
            np.array([line.intercept for line in lines]),
        )

    def line(self, place: int) -> Line:
        return Line(self.coefficients[place], float(self.intercepts[place]))

    def predict_proba(self, findings: csr_array) -> NDArray[np.float64]:
        """Probability of every class [n, K] of findings [n, tokens]."""
        found = probabilities(findings @ self.coefficients.T + self.intercepts)
        return self.change(found) if self.change else found

    def recalibrated(self, change: Recalibration) -> TokenScores:
        """A model that was handed on, changed."""
        return replace(self, change=change)

    def mapped(self, change: Affine) -> TokenScores:
        intercepts = self.intercepts + self.coefficients @ change.shift
        return TokenScores(self.coefficients @ change.matrix.T, intercepts)

    def arrays(self) -> Arrays:
        lines = {"coefficients": self.coefficients, "intercepts": self.intercepts}
        if self.change is None:
            return lines
        shifts = self.change.intercepts
        return {**lines, "slope": np.asarray(self.change.slope), "shifts": shifts}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> TokenScores:
        change = None
        if "slope" in arrays:
            change = Recalibration(float(arrays["slope"]), arrays["shifts"])
        return cls(arrays["coefficients"], arrays["intercepts"], change)


def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities [n, K] from log odds [n, 1], of class 1, or [n, K], each against the rest.

    Of more than two classes, the probabilities of each against the rest are divided by their sum.

    >>> probabilities(np.array([[0.0, 0.0, -np.inf]])).tolist()
    [[0.5, 0.5, 0.0]]
    """
    if logits.shape[1] == 1:
        logits = np.hstack([-logits, logits])
    every: NDArray[np.float64] = softmax(log_expit(logits), axis=1)
    return every
