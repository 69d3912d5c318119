"""The source model on target features that are given the covariance of the source's, unlabelled.

CORAL (Sun, Feng, Saenko 2016, Return of frustratingly easy domain adaptation, AAAI, arXiv
1511.05547), in closed form for models that are linear in features (`models/alignment.py`). The
target's mean stays: were it moved to the source's, a target with another frequency of the outcome
would be predicted the source's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from concept_transfer.strategies.strategy import (
    ALIGN,
    Plan,
    Situation,
    Strategy,
    StrategySettings,
)

if TYPE_CHECKING:
    from concept_transfer.models.alignment import Affine, Moments


class Coral(StrategySettings):
    """Give the target's features the covariance that they have at the source (CORAL).

    The features are a network's pooled ones; of models that are linear in findings, the findings.
    """

    kind: Literal["coral"]
    identity: float = Field(
        default=10.0,
        gt=0,
        description="Identity added to both covariances, in mean variances of a feature: the more, "
        "the less is changed.",
    )


def details(settings: Coral) -> list[str]:
    return [f"identity times {settings.identity:g} mean variances added to both covariances"]


def plan(situation: Situation) -> Plan:
    return Plan((), start=situation.model)


def alignment(settings: Coral, source: Moments, target: Moments) -> Affine:
    from concept_transfer.models.alignment import coral

    return coral(source, target, settings.identity)


STRATEGY = Strategy(
    settings=Coral,
    summary="the source model with the target's features mapped so that, among its unlabelled "
    "encounters, they have the covariance of the source's",
    plan=plan,
    uses_labels=False,
    uses_encounters=True,
    uses_source=True,
    starts_from_source=True,
    needs=frozenset({ALIGN}),
    alignment=alignment,
    details=details,
)
