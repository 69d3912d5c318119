"""One of several settings of a strategy for every replicate, by held-out log loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import Rows
from concept_transfer.learners.learner import CrossFitted, Fitted, Models
from concept_transfer.models.baselines import losses
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import StrategySettings

FEWEST_TO_CHOOSE = 5  # labels of every class

Settings = Mapping[str, float]


def alternatives(
    choices: Mapping[str, Sequence[float]], settings: StrategySettings
) -> list[Settings]:
    """All that settings may be where they leave a choice (null); those that come first, first.

    >>> settings = StrategySettings(kind="full")
    >>> alternatives({"learning_rate": (0.1, 0.01)}, settings)
    [{'learning_rate': 0.1}, {'learning_rate': 0.01}]
    >>> alternatives({}, settings)
    [{}]
    """
    open_ = [name for name in choices if getattr(settings, name) is None]
    every = product(*(choices[name] for name in open_))
    return [dict(zip(open_, values, strict=True)) for values in every]


def chosen(
    family: Models, fits: Sequence[CrossFitted], labels: NDArray[np.int8], folds: Rows
) -> tuple[CrossFitted, list[int]]:
    """Of several fits the one with the least log loss, for each replicate; and its place.

    labels, folds: [R, n]. What is said of a fold's encounters is that of the fit that the other
    folds choose (Varma, Simon 2006, doi:10.1186/1471-2105-7-91); of one fold, that of the best.
    Where labels are too few the first fit serves; one that diverged is chosen last.
    """
    lost = np.stack(
        [[losses(*each) for each in zip(fit.held, labels, strict=True)] for fit in fits]
    )
    lost[[fit.fitted.diverged for fit in fits]] = np.inf
    best = [0] * len(labels)
    held = fits[0].held.copy()
    for i in range(len(labels)):
        counts = np.bincount(labels[i])
        if counts[counts > 0].min() < FEWEST_TO_CHOOSE:
            continue
        best[i] = int(np.nansum(lost[:, i], axis=1).argmin())
        for fold in np.unique(folds[i]):
            inside = folds[i] == fold
            others = lost[:, i, ~inside]
            place = int(np.nansum(others, axis=1).argmin()) if others.size else best[i]
            held[i, inside] = fits[place].held[i, inside]
    fitted = Fitted(
        family.one_of([fit.fitted.models for fit in fits], best),
        [fits[place].fitted.epochs[i] for i, place in enumerate(best)],
        [fits[place].fitted.diverged[i] for i, place in enumerate(best)],
    )
    return CrossFitted(fitted, held), best


def predicted(family: Models, models: Any, site: Site, rows: Rows) -> NDArray[np.float64]:
    """Probabilities [R, n, classes] of each replicate's own rows [R, n]."""
    needed = np.unique(rows)
    found = family.predict(models, site, needed)
    return np.stack([found[i, np.searchsorted(needed, own)] for i, own in enumerate(rows)])
