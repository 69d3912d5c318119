"""A Gaussian process on findings that knows how near the vectors of tokens are."""

from __future__ import annotations

from typing import Literal

from concept_transfer.learners.learner import (
    Context,
    Family,
    Learner,
    LearnerSettings,
    always,
    freely,
)
from concept_transfer.settings.training import Training
from concept_transfer.strategies.strategy import ALIGN, PRIOR


class GaussianProcess(LearnerSettings):
    """Bayesian logistic regression; tokens with like vectors are expected to weigh alike."""

    kind: Literal["gaussian_process"]


def methods(settings: GaussianProcess, training: Training) -> str:
    return (
        "A Gaussian process with a linear kernel and logistic likelihood used the same tokens as "
        "Pareto-scaled 0/1 features; the prior covariance of their weights is a((1 - r)I + rEE'), "
        "E being the tokens' centred vectors. Amplitude a and share r were averaged over a grid, "
        "weighted by the likelihood of approximate leave-one-out predictions, which also set the "
        "calibration slope."
    )


def family(settings: GaussianProcess, context: Context) -> Family:
    from concept_transfer.models.bayesian_logistic import cross_fit
    from concept_transfer.training.token_lines import TokenLines, one_vs_rest

    return TokenLines(one_vs_rest(cross_fit), context)


LEARNER = Learner(
    settings=GaussianProcess,
    title="Gaussian process",
    methods=methods,
    family=family,
    files=("models.safetensors",),
    training=frozenset({"class_weight"}),
    takes_embedding=True,
    can=frozenset({ALIGN, PRIOR}),
    cross_fits=always,
    leaves=freely,
)
