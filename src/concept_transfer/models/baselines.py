"""Simple classifiers on one-hot findings, the yardstick for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Arrays = dict[str, NDArray[Any]]


class Classifier(Protocol):
    """A fitted model that is nothing but arrays; it is written and read as these."""

    def predict_proba(self, matrix: csr_array) -> NDArray[np.float64]:
        """Probability of every class [n, K] of encounters' findings, 0/1 [n, tokens]."""

    def arrays(self) -> Arrays:
        """What its class's `from_arrays` takes."""


def predict_all(models: Sequence[Classifier], matrix: csr_array) -> NDArray[np.float64]:
    """Probabilities [models, n, K]; models that share their work say so by a `predict_all`."""
    together = getattr(models, "predict_all", None)
    if together is not None:
        return np.asarray(together(matrix))
    return np.stack([model.predict_proba(matrix) for model in models])


@dataclass(frozen=True)
class Examples:
    """Findings 0/1 [n, tokens] and labels int8 [n] of encounters, classes 0..K-1."""

    findings: csr_array
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: NDArray[np.int64]) -> Examples:
        """Some of the encounters."""
        return Examples(self.findings[rows], self.labels[rows])


def spread(
    probability: NDArray[np.float64], present: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Probabilities [n, K] from those of the classes that training knew; others have none.

    >>> spread(np.array([[0.25, 0.75]]), np.array([0, 2]), 3).tolist()
    [[0.25, 0.0, 0.75]]
    """
    if len(present) == classes:
        return probability
    every = np.zeros((len(probability), classes))
    every[:, present] = probability
    return every


def losses(probability: NDArray[np.float64], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Minus log probability [n] of the labels [n] in probabilities [n, K]."""
    truth = np.take_along_axis(probability, labels[:, None].astype(np.int64), 1)[:, 0]
    each: NDArray[np.float64] = -np.log(np.maximum(truth, np.finfo(np.float64).tiny))
    return each
