"""The models of a study, weighed by their evidence: pseudo-BMA+ (Yao et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from concept_transfer.strategies.strategy import Strategy, StrategySettings, untrained

if TYPE_CHECKING:
    import numpy as np

    from concept_transfer.combining.pool import Labelled, Pool


class Auto(StrategySettings):
    """Choose among the study's other models by the target's labels, and share where it is open.

    It trains nothing: it weighs out-of-fold predictions of the labelled encounters. Candidates are
    models that need no label of the target, and learners that cross-fit.
    """

    kind: Literal["auto"]


def combine(settings: Auto, labelled: Labelled, rng: np.random.Generator) -> Pool:
    from concept_transfer.combining.weights import weighted_by_evidence

    return weighted_by_evidence(labelled, rng)


STRATEGY = Strategy(
    settings=Auto,
    summary=(
        "all models whose predictions of the labelled encounters are out of fold, recalibrated "
        "and averaged in log odds with the weights of pseudo-BMA+ (the probability that each "
        "predicts best, by a Bayesian bootstrap of half the log score); where the labels are too "
        "few to choose, the models without target labels, weighted by the AUROC at their "
        "source and recalibrated"
    ),
    plan=untrained,
    combine=combine,
    uses_source=True,
    look=("#882255", "*"),
)
