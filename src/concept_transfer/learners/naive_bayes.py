"""Naive Bayes on one-hot findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import ALIGN, RECALIBRATE

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from concept_transfer.models.alignment import Affine
    from concept_transfer.models.baselines import Examples
    from concept_transfer.models.recalibration import Recalibration


class NaiveBayes(LearnerSettings):
    """Bernoulli naive Bayes."""

    kind: Literal["naive_bayes"]
    smoothing: float = Field(
        default=1.0, gt=0, description="Encounters with and without a token added to each class."
    )


@dataclass(frozen=True)
class BernoulliModel:
    """Class log odds of the tokens.

    present: float64 [tokens, classes], what a token adds to the log probability of a class;
    absent: float64 [classes], that of an encounter without tokens.
    """

    present: NDArray[np.float64]
    absent: NDArray[np.float64]

    def predict_proba(self, findings: csr_array) -> NDArray[np.float64]:
        """Probabilities [n, classes] of the rows of a 0/1 matrix [n, tokens]."""
        joint = np.asarray(findings @ self.present) + self.absent
        likelihood = np.exp(joint - joint.max(axis=1, keepdims=True))
        probability: NDArray[np.float64] = likelihood / likelihood.sum(axis=1, keepdims=True)
        return probability

    def recalibrated(self, change: Recalibration) -> BernoulliModel:
        absent = change.slope * self.absent + change.intercepts
        return BernoulliModel(change.slope * self.present, absent)

    def mapped(self, change: Affine) -> BernoulliModel:
        return BernoulliModel(
            change.matrix @ self.present, self.absent + change.shift @ self.present
        )

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.float64]]) -> BernoulliModel:
        return cls(**arrays)


def fit(
    smoothing: float, train: Examples, weights: NDArray[np.float64], classes: int
) -> BernoulliModel:
    """Fit by counts of weights [n] (McCallum, Nigam 1998); the prior is a class's share of them.

    A class without encounters has probability 0.
    """
    members = np.eye(classes)[train.labels] * weights[:, None]
    count = members.sum(axis=0)
    share = (np.asarray(train.findings.T @ members) + smoothing) / (count + 2 * smoothing)
    with np.errstate(divide="ignore"):
        prior = np.log(count / count.sum())
    without = np.log1p(-share)
    return BernoulliModel(np.log(share) - without, prior + without.sum(axis=0))


def methods(settings: NaiveBayes, training: Training) -> str:
    return (
        "Bernoulli naive Bayes used the same tokens as 0/1 features, with "
        f"{settings.smoothing:g} added to the counts of each class with and without a token."
    )


def family(settings: NaiveBayes, context: Context) -> Family:
    from concept_transfer.training.one_by_one import OneByOne

    def fitted(train: Examples, weights: NDArray[np.float64], k: int) -> list[BernoulliModel]:
        return [fit(settings.smoothing, train, weights, k)]

    return OneByOne(fitted, BernoulliModel, context)


LEARNER = Learner(
    settings=NaiveBayes,
    title="naive Bayes",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    can=frozenset({ALIGN, RECALIBRATE}),
    cross_fits=always,
)
