"""The models of a study, stacked: a logistic regression on their log probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from concept_transfer.strategies.strategy import Strategy, StrategySettings, untrained

if TYPE_CHECKING:
    import numpy as np

    from concept_transfer.combining.pool import Labelled, Pool


class Stack(StrategySettings):
    """Combine the study's other models by a logistic regression on the target's labels.

    It trains nothing else, and has the candidates of `auto`.
    """

    kind: Literal["stack"]


def combine(settings: Stack, labelled: Labelled, rng: np.random.Generator) -> Pool:
    from concept_transfer.combining.stacking import stacked

    return stacked(labelled, rng)


STRATEGY = Strategy(
    settings=Stack,
    summary=(
        "all models whose predictions of the labelled encounters are out of fold, stacked by a "
        "logistic regression with non-negative coefficients (Breiman 1996), a ridge towards the "
        "weights of pseudo-BMA+ chosen by cross-validation; where the labels are too few to "
        "choose, the models without target labels, weighted by the AUROC at their source and "
        "recalibrated"
    ),
    plan=untrained,
    combine=combine,
    uses_source=True,
)
