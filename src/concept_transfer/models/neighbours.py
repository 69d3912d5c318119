"""Classification of documents by those that are nearest to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.baselines import Arrays

NUMBERS = (10, 20, 40, 80)  # of neighbours, to choose among; the first where labels cannot choose
FADING = 0.1  # of cosine, over which a vote's weight falls to 1 / e
DOUBT = 0.1  # votes that are shared evenly, so that no class has probability 0
AT_ONCE = 1024

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbours:
    """vectors: float32 [n, width], of length 1; votes: float64 [n, K], the weight of each document
    in the column of its class; number: how many of the nearest, by cosine, vote, the nearer the
    more."""

    vectors: NDArray[np.float32]
    votes: Floats
    number: int

    @classmethod
    def of(
        cls, features: Floats, labels: NDArray[np.int8], weights: Floats, classes: int, number: int
    ) -> Neighbours:
        """features: [n, width]; the weights of a mean document count as one vote."""
        votes = np.eye(classes)[labels] * (weights / weights.mean())[:, None]
        return cls(_unit(features), votes, number)

    def near(self, number: int) -> Neighbours:
        """The same with another number of neighbours."""
        return replace(self, number=number)

    def among(self, rows: NDArray[np.bool_]) -> Neighbours:
        """Some of the documents."""
        return replace(self, vectors=self.vectors[rows], votes=self.votes[rows])

    def predict_proba(self, features: Floats) -> Floats:
        """Probability of every class [n, K] of features [n, width]."""
        classes, number = self.votes.shape[1], min(self.number, len(self.vectors))
        found = np.empty((len(features), classes))
        for first in range(0, len(features), AT_ONCE):
            block = slice(first, first + AT_ONCE)
            cosines = _unit(features[block]) @ self.vectors.T
            nearest = np.argpartition(-cosines, number - 1, axis=1)[:, :number]
            near = np.exp((np.take_along_axis(cosines, nearest, 1) - 1) / FADING)
            votes = (self.votes[nearest] * near[..., None]).sum(axis=1) / near.max(axis=1)[:, None]
            found[block] = votes + DOUBT / classes
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def arrays(self) -> Arrays:
        number = np.array(self.number, np.int64)
        return {"vectors": self.vectors, "votes": self.votes, "number": number}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Neighbours:
        return cls(arrays["vectors"], arrays["votes"], int(arrays["number"]))


def _unit(features: Floats) -> NDArray[np.float32]:
    """Rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), np.float32)
