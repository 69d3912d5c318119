"""Naive Bayes on one-hot findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

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
    rounded_to: int = Field(
        default=1,
        ge=1,
        description="Counts of encounters are rounded to multiples of this; at "
        "evaluation.small_cells or more, the model may leave the hospital.",
    )


@dataclass(frozen=True)
class BernoulliModel:
    """Class log odds of the tokens.

    present: float64 [tokens, classes], what a token adds to the log probability of a class;
    absent: float64 [classes], that of an encounter without tokens; step: int64, whose multiples
    are all counts of encounters that the others tell.
    """

    present: NDArray[np.float64]
    absent: NDArray[np.float64]
    step: NDArray[np.int64]

    def predict_proba(self, findings: csr_array) -> NDArray[np.float64]:
        """Probabilities [n, classes] of the rows of a 0/1 matrix [n, tokens]."""
        joint = np.asarray(findings @ self.present) + self.absent
        likelihood = np.exp(joint - joint.max(axis=1, keepdims=True))
        probability: NDArray[np.float64] = likelihood / likelihood.sum(axis=1, keepdims=True)
        return probability

    def recalibrated(self, change: Recalibration) -> BernoulliModel:
        absent = change.slope * self.absent + change.intercepts
        return replace(self, present=change.slope * self.present, absent=absent)

    def mapped(self, change: Affine) -> BernoulliModel:
        absent = self.absent + change.shift @ self.present
        return replace(self, present=change.matrix @ self.present, absent=absent)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> BernoulliModel:
        return cls(**arrays)


def fit(
    settings: NaiveBayes, train: Examples, weights: NDArray[np.float64], classes: int
) -> BernoulliModel:
    """Fit by counts of weights [n] (McCallum, Nigam 1998); the prior is a class's share of them.

    A class without encounters has probability 0; where counts are rounded, one with any has
    `rounded_to` at least. They are rounded as if each encounter had its class's largest weight.
    """
    smoothing, rounded_to = settings.smoothing, settings.rounded_to
    members = np.eye(classes)[train.labels] * weights[:, None]
    count, held = members.sum(axis=0), np.asarray(train.findings.T @ members)
    if rounded_to > 1:
        step = rounded_to * np.where(count > 0, members.max(axis=0), 1)
        count, held = (np.round(each / step) * step for each in (count, held))
        count = np.where(members.any(axis=0), np.maximum(count, step), 0)
    share = (held + smoothing) / (count + 2 * smoothing)
    with np.errstate(divide="ignore"):
        prior = np.log(count / count.sum())
    without = np.log1p(-share)
    absent = prior + without.sum(axis=0)
    return BernoulliModel(np.log(share) - without, absent, np.asarray(rounded_to))


def leaves(models: Any, small_cells: int) -> str:
    if all(models.models[place].step >= small_cells for place in models.of):
        return ""
    return (
        f"its weights tell counts of encounters below {small_cells}; round them with "
        f"`rounded_to: {small_cells}` in the classifier's section"
    )


def methods(settings: NaiveBayes, training: Training) -> str:
    n = settings.rounded_to
    rounded = f", which were rounded to multiples of {n}" if n > 1 else ""
    return (
        "Bernoulli naive Bayes used the same tokens as 0/1 features, with "
        f"{settings.smoothing:g} added to the counts of each class with and without a "
        f"token{rounded}."
    )


def family(settings: NaiveBayes, context: Context) -> Family:
    from concept_transfer.training.one_by_one import OneByOne

    def fitted(train: Examples, weights: NDArray[np.float64], k: int) -> list[BernoulliModel]:
        return [fit(settings, train, weights, k)]

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
    leaves=leaves,
)
