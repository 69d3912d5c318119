"""Metrics of an outcome with more than two classes, all of them together.

Each class is told from all others by the metrics of two classes; the macro mean is that over the
classes which a sample holds, so a class without encounters takes no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from concept_transfer.evaluation.calibration import SMALLEST
from concept_transfer.evaluation.metrics.condensed import Condensed, condense
from concept_transfer.evaluation.metrics.ranking import RANKING
from concept_transfer.evaluation.metrics.record import Metric, Prevalence
from concept_transfer.evaluation.metrics.risks import RISKS

_OF_TWO = {metric.name: metric for metric in (*RANKING, *RISKS)}


@dataclass(frozen=True)
class CondensedClasses:
    """A matrix of predictions, added up by resampling unit.

    ``of_class``: each class told from all others; ``sums`` [4, units]: encounters, squared error,
    log loss and right votes; ``votes`` [3, classes, units]: encounters of a class, votes for it,
    and votes for it that are right. An encounter's vote is its most probable class, the first of
    several.
    """

    of_class: tuple[Condensed, ...]
    sums: np.ndarray
    votes: np.ndarray

    @property
    def widest(self) -> int:
        """Most distinct scores in a ranking."""
        return max(condensed.widest for condensed in self.of_class)


def condense_classes(
    labels: np.ndarray,
    probability: np.ndarray,
    unit: np.ndarray | None = None,
    units: int | None = None,
    fold: np.ndarray | None = None,
) -> CondensedClasses:
    """`condense` of labels [n] and the probabilities [n, classes] of more than two classes."""
    if unit is None:
        unit = np.arange(len(labels))
    units = int(unit.max()) + 1 if units is None else units
    p = probability.astype(np.float64)
    truth = labels[:, None] == np.arange(p.shape[1])
    vote = p.argmax(axis=1)[:, None] == np.arange(p.shape[1])
    rows = (
        np.ones(len(labels)),
        ((p - truth) ** 2).sum(axis=1),
        -np.log(np.clip(p[truth], SMALLEST, 1)),
        (truth & vote).any(axis=1),
    )

    def added(values: np.ndarray) -> np.ndarray:
        return np.bincount(unit, weights=values, minlength=units)

    return CondensedClasses(
        of_class=tuple(
            condense(truth[:, k].astype(np.int8), p_k, unit, units, fold)
            for k, p_k in enumerate(probability.T)
        ),
        sums=np.stack([added(row) for row in rows]),
        votes=np.stack(
            [[added(column) for column in held.T] for held in (truth, vote, truth & vote)]
        ),
    )


class AllClasses:
    """What metrics of all classes share, under many sets of weights: sums [draws], and the
    metrics of each class against all others (``of_class`` [classes, metrics, draws])."""

    def __init__(
        self, condensed: CondensedClasses, weights: np.ndarray, of_class: np.ndarray
    ) -> None:
        """``weights`` [units, draws]."""
        self.of_class = of_class
        sums = condensed.sums.astype(weights.dtype) @ weights
        self.count, self.squared_error, self.log_loss, self.right = sums
        self.encounters, self.votes, self.hits = condensed.votes.astype(weights.dtype) @ weights

    def macro(self, metric: str) -> np.ndarray:
        """The mean over classes of a metric of two classes."""
        return mean_of_known(self.of_class[:, list(_OF_TWO).index(metric)])

    def f1(self) -> np.ndarray:
        """Harmonic mean of sensitivity and PPV of the votes for each class [classes, draws]."""
        values = 2 * self.hits / (self.encounters + self.votes)
        values[self.encounters == 0] = np.nan
        return np.asarray(values)


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis of what is a number; NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=0) / known.sum(axis=0))


def _accuracy(classes: AllClasses) -> np.ndarray:
    return np.asarray(classes.right / classes.count)


def _brier(classes: AllClasses) -> np.ndarray:
    return np.asarray(classes.squared_error / classes.count)


def _log_loss(classes: AllClasses) -> np.ndarray:
    return np.asarray(classes.log_loss / classes.count)


def _macro_f1(classes: AllClasses) -> np.ndarray:
    return mean_of_known(classes.f1())


def _shares(prevalences: Sequence[Prevalence]) -> np.ndarray:
    """Shares of the classes that are there."""
    return np.array([each.overall for each in prevalences if each.overall > 0])


def _entropy(prevalences: Sequence[Prevalence]) -> float:
    shares = _shares(prevalences)
    return float(-(shares * np.log(shares)).sum())


def _majority_f1(prevalences: Sequence[Prevalence]) -> float:
    shares = _shares(prevalences)
    most = shares.max()
    return float(2 * most / (1 + most) / len(shares))


def _macro_prevalence(prevalences: Sequence[Prevalence]) -> float:
    return float(np.mean([each.within_folds for each in prevalences if each.overall > 0]))


OF_ALL = (
    replace(
        _OF_TWO["auroc"],
        title="Macro AUROC",
        of="distribution",
        compute=lambda classes: classes.macro("auroc"),
        no_skill=lambda prevalences: 0.5,
    ),
    replace(
        _OF_TWO["auprc"],
        title="Macro AUPRC",
        of="distribution",
        compute=lambda classes: classes.macro("auprc"),
        no_skill=_macro_prevalence,
    ),
    replace(
        _OF_TWO["brier"],
        compute=_brier,
        bounds=(0, 2),
        no_skill=lambda prevalences: float(1 - (_shares(prevalences) ** 2).sum()),
    ),
    replace(_OF_TWO["log_loss"], compute=_log_loss, no_skill=_entropy),
    Metric(
        "accuracy",
        "Accuracy",
        about="discrimination",
        of="distribution",
        compute=_accuracy,
        ideal=1,
        higher_is_better=True,
        bounds=(0, 1),
        no_skill=lambda prevalences: float(_shares(prevalences).max()),
    ),
    Metric(
        "macro_f1",
        "Macro F1",
        about="discrimination",
        of="distribution",
        compute=_macro_f1,
        ideal=1,
        higher_is_better=True,
        bounds=(0, 1),
        no_skill=_majority_f1,
    ),
)
