"""What a learner is: the record of a model family, and what its models must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from concept_transfer.settings.section import Section

if TYPE_CHECKING:
    from concept_transfer.models.alignment import Affine, Moments
    from concept_transfer.models.recalibration import Recalibration
    from concept_transfer.pretraining.coverage import Coverage
    from concept_transfer.settings.task import Task
    from concept_transfer.settings.training import Training
    from concept_transfer.sites.site import Site
    from concept_transfer.strategies.strategy import Plan


class LearnerSettings(Section):
    """Settings of a learner; each has its own section, with `kind`, the learner's name."""

    kind: str


@dataclass(frozen=True)
class Fitted:
    """R fitted models, the epoch that each was kept from, and which diverged.

    models: the learner's own; `select(places)` gives those of some of the replicates.
    """

    models: Any
    epochs: list[int]
    diverged: list[bool]


@dataclass(frozen=True)
class CrossFitted:
    """Models fitted on every labelled encounter, and what models that had not seen an encounter say
    of it.

    held: float64 [R, n, classes], probabilities of the encounters of `plan.train[0]`, each by a
    model without its fold; NaN where the other folds hold one class, where the models diverged, and
    of encounters that are in no fold.
    """

    fitted: Fitted
    held: NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """What the replicates of one job are given.

    keys: one a replicate, the root of all its random draws; tokens: size of the vocabulary;
    classes: number of outcomes; vectors: float32 [tokens, width], or [R, tokens, width] where
    every replicate has a table of its own, None for learners without an embedding;
    encoders: folder of each replicate's encoder, and outcome_codes, those of `Task`, for learners
    that take one; device, threads: where torch computes, and with how many threads of a CPU.
    """

    keys: tuple[int, ...]
    tokens: int
    classes: int = 2
    vectors: NDArray[np.float32] | None = None
    device: str = "cpu"
    threads: int = 1
    encoders: tuple[Path, ...] = ()
    outcome_codes: tuple[str, ...] = ()

    def select(self, replicates: Sequence[int]) -> Context:
        """The context of some of the replicates, by place."""
        vectors = self.vectors
        if vectors is not None and vectors.ndim == 3:
            vectors = vectors[list(replicates)]
        return replace(
            self,
            keys=tuple(self.keys[i] for i in replicates),
            vectors=vectors,
            encoders=tuple(self.encoders[i] for i in replicates) if self.encoders else (),
        )


class Models(Protocol):
    """A learner's models of the R replicates of a context: how they are used and kept."""

    def predict(self, models: Any, site: Site, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities [R, n, classes] of encounters [n]."""

    def one_of(self, models: Sequence[Any], of: Sequence[int]) -> Any:
        """Of several fits' models those that R replicates keep; of: the place of each one's fit."""

    def recalibrated(self, models: Any, changes: Sequence[Recalibration]) -> Any:
        """Models whose probabilities are those of R models, each changed (`RECALIBRATE`)."""

    def write(self, models: Any, folder: Path) -> None:
        """Write `Learner.files`."""

    def read(self, folder: Path) -> Any:
        """Read what `write` wrote."""


class ValidatedFamily(Models, Protocol):
    """A learner at work that sets encounters apart to validate on."""

    def fit(self, plan: Plan, training: Training, choose: NDArray[np.bool_]) -> Fitted:
        """Fit R models. choose: bool [R], whether a replicate has enough labels of every class
        for validation to choose among epochs."""


class CrossFittingFamily(Models, Protocol):
    """A learner at work that uses every label for training."""

    def cross_fit(self, plan: Plan, training: Training, folds: NDArray[np.int64]) -> CrossFitted:
        """Fit R models, on all encounters and without each fold. folds: int64 [R, n], that of
        every encounter of `plan.train[0]`, or -1 for those in the training of all, as other parts
        are."""


class AligningFamily(Protocol):
    """A learner at work whose models are linear in features that can be mapped (`ALIGN`)."""

    def moments(self, models: Any, site: Site, rows: NDArray[np.int64]) -> Sequence[Moments]:
        """Of the features of encounters [n] that R models are linear in."""

    def mapped(self, models: Any, maps: Sequence[Affine]) -> Any:
        """R models whose features are mapped first."""


class UntaughtFamily(Protocol):
    """A learner at work whose models predict before any label has taught them (`ZERO`)."""

    def untaught(self) -> Any:
        """R models."""


Family = ValidatedFamily | CrossFittingFamily


def always(training: Training) -> bool:
    return True


def never(training: Training) -> bool:
    return False


def freely(models: Any, small_cells: int) -> str:
    """Of models whose numbers each come of all encounters together."""
    return ""


def five(labels: int, handed_on: bool) -> int:
    return 5


def nothing(settings: Any) -> frozenset[str]:
    return frozenset()


def welcome(settings: Any, task: Task) -> str:
    return ""


@dataclass(frozen=True)
class Learner:
    """The record of a model family.

    settings: its section of the config; title: in tables and figures; methods: what the methods
    text says of it, from its settings and those of training; family: makes a `Family`, and
    imports only then what that needs; files: what it writes into a bundle; training: the keys of
    the section `training` that its models depend on; reads: its input; takes_embedding: whether it
    is trained with each of the study's embeddings; takes_encoder: or with each of its encoders of a
    kind, "codes" or "text"; can: what strategies may ask of it (the abilities in
    `strategies.strategy`); lacks: those of them that its settings rule out; refused: why a task is
    none for it, or ""; uses_torch: its jobs ask for the device and GPUs of the config; cross_fits:
    whether, with these settings of training, it is refitted on all labels, none are set apart, and
    `family` makes a `CrossFittingFamily` (else a `ValidatedFamily`); folds: without how many folds
    in turn it is then fitted, given the number of labels and whether the models are a source's, to
    be handed on; 1: without the encounters that the split sets apart for validation, so that
    nothing is said of the others;
    leaves: why models that `family` reads may not leave the hospital where counts of encounters
    below ``small_cells`` stay there, as the end of a sentence with its remedy, or "" where they may
    (None: they never do); coverage: what models know of events that they read, one
    `pretraining.coverage.Coverage` a model, from the models and the input (None: nothing is
    unknown to them that is in the study's vocabulary).
    """

    settings: type[LearnerSettings]
    title: str
    methods: Callable[[Any, Training], str]
    family: Callable[[Any, Context], Family]
    files: tuple[str, ...]
    training: frozenset[str]
    reads: str = "findings"
    takes_embedding: bool = False
    takes_encoder: str = ""
    can: frozenset[str] = frozenset()
    lacks: Callable[[Any], frozenset[str]] = nothing
    refused: Callable[[Any, Task], str] = welcome
    uses_torch: bool = False
    cross_fits: Callable[[Training], bool] = never
    folds: Callable[[int, bool], int] = five
    leaves: Callable[[Any, int], str] | None = None
    coverage: Callable[[Any, Any], list[Coverage]] | None = None
