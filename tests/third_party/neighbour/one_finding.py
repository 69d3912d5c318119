"""The learner `one_finding`: a decision tree of one split (Iba, Langley 1992, ICML)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.learners.learner import Context, Family, Learner, LearnerSettings, always
from concept_transfer.settings.training import Training

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from concept_transfer.models.baselines import Examples


class OneFinding(LearnerSettings):
    """The risk with, and without, the one finding that tells most."""

    kind: Literal["one_finding"]
    smoothing: float = Field(
        default=1.0, gt=0, description="Encounters of each class added to either group."
    )


@dataclass(frozen=True)
class OneFindingModel:
    """token: int64 [1]; risks: float64 [2, classes], without and with the token."""

    token: NDArray[np.int64]
    risks: NDArray[np.float64]

    def predict_proba(self, findings: csr_array) -> NDArray[np.float64]:
        """Probabilities [n, classes] of the rows of a 0/1 matrix [n, tokens]."""
        present = findings[:, self.token].toarray()[:, 0] > 0
        risks: NDArray[np.float64] = self.risks[present.astype(int)]
        return risks

    def arrays(self) -> dict[str, NDArray[Any]]:
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> OneFindingModel:
        return cls(**arrays)


def fit(
    smoothing: float, train: Examples, weights: NDArray[np.float64], classes: int
) -> OneFindingModel:
    """The token whose two groups have the largest likelihood; weights [n] count encounters."""
    members = np.eye(classes)[train.labels] * weights[:, None]
    present = np.asarray(train.findings.T @ members)
    counts = np.stack([members.sum(axis=0) - present, present], axis=1)
    risks = (counts + smoothing) / (counts + smoothing).sum(axis=2, keepdims=True)
    token = (counts * np.log(risks)).sum(axis=(1, 2)).argmax()
    return OneFindingModel(np.array([token]), risks[token])


def methods(settings: OneFinding, training: Training) -> str:
    return (
        "A decision tree of one split gave every encounter the risk of those with, or without, "
        "the single token of the largest likelihood in training."
    )


def family(settings: OneFinding, context: Context) -> Family:
    from concept_transfer.training.one_by_one import OneByOne

    def fitted(train: Examples, weights: NDArray[np.float64], k: int) -> list[OneFindingModel]:
        return [fit(settings.smoothing, train, weights, k)]

    return OneByOne(fitted, OneFindingModel, context)


LEARNER = Learner(
    settings=OneFinding,
    title="one finding",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    cross_fits=always,
)
