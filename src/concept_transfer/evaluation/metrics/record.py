"""What the house knows of a metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from concept_transfer.evaluation.intervals import Variance, plain_interval, share_interval


@dataclass(frozen=True)
class Prevalence:
    """Share of encounters with the outcome: of all, and averaged over folds by their pairs."""

    overall: float
    within_folds: float


@dataclass(frozen=True)
class Metric:
    """One number about a vector of predictions.

    ``compute`` takes what its kind of metrics shares, computed once (`Ranking`, `Sums` or, of more
    than two classes, `AllClasses`), and gives the metric under every set of weights [draws].
    ``ideal``: what a perfect model reaches; ``higher_is_better`` is None where a value may be too
    high as well as too low; ``bounds``: what values are possible. ``of``: one class against all
    others (``class``), or the whole distribution over the classes. ``no_skill``: what the
    prevalence for everybody reaches (from a `Prevalence`, or one of each of more than two classes),
    None where that says nothing. ``title`` and ``heading`` (of a column beside its like) are for
    readers.
    """

    name: str
    title: str
    about: Literal["discrimination", "usefulness", "probabilities", "calibration"]
    of: Literal["class", "distribution"]
    compute: Callable[[Any], np.ndarray]
    ideal: float
    higher_is_better: bool | None
    bounds: tuple[float, float]
    no_skill: Callable[[Any], float] | None = None
    heading: str = ""

    @property
    def width(self) -> float:
        """How far two values can be apart."""
        return self.bounds[1] - self.bounds[0]

    def interval(
        self, estimate: float, variance: Variance, confidence: float
    ) -> tuple[float, float]:
        """Lower and upper bound; symmetric in the log odds where values lie between 0 and 1."""
        kind = share_interval if self.bounds == (0, 1) else plain_interval
        return kind(estimate, variance, confidence)
