"""Naive Bayes on one-hot findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings
from concept_transfer.settings.training import Training

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from concept_transfer.training.one_by_one import Sample


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

    def predict_proba(self, findings: csr_matrix) -> NDArray[np.float64]:
        """Probabilities [n, classes] of the rows of a 0/1 matrix [n, tokens]."""
        joint = np.asarray(findings @ self.present) + self.absent
        likelihood = np.exp(joint - joint.max(axis=1, keepdims=True))
        probability: NDArray[np.float64] = likelihood / likelihood.sum(axis=1, keepdims=True)
        return probability


def fit(settings: NaiveBayes, train: Sample) -> BernoulliModel:
    """Fit by weighted counts (McCallum, Nigam 1998); a class without encounters has probability 0.

    The prior is the weighted share of a class.
    """
    members = np.eye(train.classes)[train.labels] * train.weights[:, None]
    count = members.sum(axis=0)
    share = (np.asarray(train.findings.T @ members) + settings.smoothing) / (
        count + 2 * settings.smoothing
    )
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

    return OneByOne(lambda train, validation, choose: fit(settings, train), BernoulliModel, context)


LEARNER = Learner(
    settings=NaiveBayes,
    title="naive Bayes",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
)
