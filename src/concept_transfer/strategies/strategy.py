"""What a strategy is: its settings, what it needs, and the plan it makes of a fold's data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from concept_transfer.settings.section import Section

if TYPE_CHECKING:
    from concept_transfer.cohorts.budget import Budget
    from concept_transfer.combining.pool import Labelled, Pool
    from concept_transfer.models.alignment import Affine, Moments
    from concept_transfer.models.recalibration import Recalibration
    from concept_transfer.sites.site import Site

START = "start"  # begin training from a handed-on model
FREEZE = "freeze"  # train the last layer alone
DECAY = "decay"  # let weights decay towards other values than zero
ADVERSARY = "adversary"  # train against an opponent that tells sites apart
ALIGN = "align"  # map the features that models are linear in
RECALIBRATE = "recalibrate"  # shift and stretch the log probabilities of models
PRIOR = "prior"  # take a handed-on model's score as prior mean
RATES = "rates"  # train the last layer and those before it at different rates
ZERO = "zero"  # predict before any label has taught the model
LOW_RANK = "low_rank"  # train an update of low rank to the weights before the last layer


class StrategySettings(Section):
    """Settings that every strategy has; `kind` is its name."""

    kind: str
    learning_rate: float | None = Field(
        default=None, gt=0, description="Overrides training.learning_rate for this strategy."
    )
    epochs: int | None = Field(
        default=None, ge=1, description="Overrides the protocol's number of epochs."
    )


Weight = float | NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """Encounters of one site, and their weights in the loss.

    rows: int64 [R, n], each replicate's; rows that all share are stored once (broadcast);
    weight: one for all, or float64 [encounters of the site], each one's own.
    """

    site: Site
    rows: NDArray[np.int64]
    weight: Weight = 1.0

    @property
    def size(self) -> float:
        """The number of a replicate's encounters, counted by their weights."""
        if isinstance(self.weight, float):
            return float(self.weight * self.rows.shape[1])
        return float(self.weight[self.rows[0]].sum())


@dataclass(frozen=True)
class Decay:
    """What weights decay towards in training, and how much a step.

    pull: what decays of the parameters [R, size], given them and what they started from; None
    is the parameters themselves, which decay towards zero. It is to be linear in both, number by
    number: then it means the same in whatever coordinates a learner trains.
    strength: None is the `weight_decay` of the section `training`.
    """

    pull: Callable[[Any, Any], Any] | None = None
    strength: float | None = None


@dataclass(frozen=True)
class Stage:
    """A phase of training; it begins with the models that the phase before kept.

    frozen: train the last layer alone; body_rate: learning rate of all layers before the last,
    relative to the last one's; epochs: at most so many (None: what the settings say); rank: train
    an update of this rank to the weight matrices before the last layer (None: themselves).
    """

    frozen: bool = False
    body_rate: float = 1.0
    epochs: int | None = None
    rank: int | None = None


@dataclass(frozen=True)
class Adversary:
    """Encounters without labels, from which features should not tell the training ones.

    strength: weight of the reversed gradient.
    """

    unlabelled: Part
    strength: float


@dataclass(frozen=True)
class Plan:
    """What R replicates train on and where they start.

    train: their encounters (none: the handed-on model serves as it came, or, where none is handed
    on, one that no label has taught); validation: the
    encounters that choose among epochs or penalties; start: models that training begins with
    (None: untrained); stages: phases of training; decay: None is that of the settings; adversary:
    whom features learn to deceive.
    """

    train: tuple[Part, ...]
    validation: Part | None = None
    start: Any = None
    stages: tuple[Stage, ...] = (Stage(),)
    decay: Decay | None = None
    adversary: Adversary | None = None


@dataclass(frozen=True)
class Situation:
    """What a strategy may use in one fold.

    settings: its own section; budget: the labelled target encounters of R replicates (None where
    it uses none); source: the source's encounters (None unless `uses_source`); model: the
    handed-on models of R replicates (None unless `starts_from_source`); pool: int64 [R, n], the
    target's encounters that may be looked at without their labels; at_source: the source's
    encounters, divided as for its own models.
    """

    settings: Any
    target: Site
    budget: Budget | None
    source: Site | None
    model: Any
    pool: NDArray[np.int64] | None = None
    at_source: Budget | None = None

    @property
    def labelled(self) -> tuple[Part, Part]:
        """The target's encounters to train and to validate on."""
        assert self.budget is not None
        return Part(self.target, self.budget.train), Part(self.target, self.budget.validation)

    @property
    def unlabelled(self) -> Part:
        """The target's encounters whose labels are not to be used."""
        assert self.pool is not None
        return Part(self.target, self.pool)

    @property
    def source_labelled(self) -> tuple[Part, Part]:
        """The source's encounters to train and to validate on, as its own models use them."""
        assert self.source is not None
        assert self.at_source is not None
        rows = self.at_source
        return Part(self.source, rows.train), Part(self.source, rows.validation)

    def source_part(self, weight: float) -> Part:
        """The source's training encounters, the same for every replicate."""
        assert self.source is not None
        assert self.budget is not None
        rows = self.source.split.source_parts()[0]
        return Part(self.source, np.broadcast_to(rows, (len(self.budget.train), len(rows))), weight)


@dataclass(frozen=True)
class Judged:
    """What a handed-on model says of the target's encounters.

    probability: [n, classes]; labels: int8 [n], None where the strategy uses none; prior: share
    of each class among the encounters that the model was trained on, [classes].
    """

    probability: NDArray[np.float64]
    labels: NDArray[np.int8] | None
    prior: NDArray[np.float64]


def untrained(situation: Situation) -> Plan:
    """The plan of a strategy that combines what others predict."""
    return Plan(())


def no_details(settings: StrategySettings) -> list[str]:
    return []


@dataclass(frozen=True)
class Strategy:
    """The record of a strategy.

    settings: its section of the config; summary and details, in the methods text: what
    it does and with which settings; plan: what it makes of a situation; uses_encounters: whether
    it looks at the target's encounters without their labels; needs: what a learner must be able to
    do (`START`, `FREEZE`, `DECAY`, `RATES`, `LOW_RANK`, `PRIOR`, `RECALIBRATE`, `ALIGN`,
    `ADVERSARY`, `ZERO`); recalibration: how a handed-on model is changed, by what it says of the
    target; alignment: how the target's features are mapped for it, by their moments at the source
    and at the target; look: colour and matplotlib's name of a marker in figures, where it is to
    have its own; choices: settings that null leaves open, and what held-out log loss chooses among
    for every replicate; the first value where labels are too few to choose; combine: of a strategy
    that trains nothing, how it makes one model of those that the study has for a target; gathers:
    it is given the models of all sources of a target at once, as far as these use no label of it.
    """

    settings: type[StrategySettings]
    summary: str
    plan: Callable[[Situation], Plan]
    uses_labels: bool = True
    uses_encounters: bool = False
    uses_source: bool = False
    starts_from_source: bool = False
    needs: frozenset[str] = frozenset()
    recalibration: Callable[[Any, Judged], Recalibration] | None = None
    alignment: Callable[[Any, Moments, Moments], Affine] | None = None
    details: Callable[[Any], list[str]] = no_details
    look: tuple[str, str] | None = None
    choices: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    combine: Callable[[Any, Labelled, np.random.Generator], Pool] | None = None
    gathers: bool = False

    @property
    def has_source(self) -> bool:
        """Whether anything of a source site comes in."""
        return self.uses_source or self.starts_from_source

    @property
    def reads_source(self) -> bool:
        """Whether the source's encounters are needed; its models alone will not do."""
        return self.uses_source and self.combine is None

    @property
    def adapts(self) -> bool:
        """Whether a handed-on model is changed without training."""
        return self.recalibration is not None or self.alignment is not None

    @property
    def is_unchanged(self) -> bool:
        """Whether it is the handed-on model as it came."""
        return self.starts_from_source and not (self.uses_labels or self.uses_encounters)

    @property
    def tunes(self) -> bool:
        """Whether a handed-on model is trained further."""
        return self.starts_from_source and self.uses_labels
