"""What a cell is made with: who learns, what a source hands on, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from concept_transfer.learners.learner import Context, Family, Learner, UntaughtFamily
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import StrategySettings
from concept_transfer.training.choosing import Settings
from concept_transfer.training.predictions import DIVERGED


@dataclass(frozen=True)
class Workbench:
    """Who learns: a learner, its settings, and what the replicates of the job are given."""

    learner: Learner
    settings: Any
    context: Context
    replicates: list[int]

    def among(self, places: list[int]) -> Family:
        """The learner at work on the replicates at some places of the block."""
        return self.learner.family(self.settings, self.context.select(places))

    def everyone(self) -> Family:
        return self.among(list(range(len(self.replicates))))


@dataclass(frozen=True)
class HandedOn:
    """The models of a site (None: none could be fitted), and one record a replicate.

    calibration: one a replicate, see `training.calibrating`.
    """

    models: Any
    records: list[dict[str, Any]]
    calibration: list[dict[str, Any] | None] = field(default_factory=list)

    @property
    def diverged(self) -> NDArray[np.bool_]:
        return np.array([record["status"] == DIVERGED for record in self.records])


@dataclass(frozen=True)
class Work:
    """What a cell trains on: a strategy with its settings, the sites, and what a source hands on.

    same: the target's own source models, where they are the cell's models on "all" labels;
    hands_on: the models are for other sites.
    """

    strategy: StrategySettings
    size: str
    training: Training
    target: Site
    source: Site | None = None
    handed_on: HandedOn | None = None
    same: HandedOn | None = None
    hands_on: bool = False

    @property
    def received(self) -> HandedOn:
        """What the source hands on, of a strategy that starts from it."""
        assert self.handed_on is not None, f"{self.strategy.kind} needs a source model"
        return self.handed_on

    def having(self, settings: Settings) -> Work:
        """The same with some of the strategy's settings."""
        return replace(self, strategy=self.strategy.model_copy(update=dict(settings)))


def untaught(bench: Workbench) -> HandedOn:
    """Models that no label has taught."""
    family = cast(UntaughtFamily, bench.everyone())
    return HandedOn(family.untaught(), [{"epochs": 0} for _ in bench.replicates])
