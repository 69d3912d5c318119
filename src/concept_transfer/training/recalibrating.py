"""Handed-on models that are shifted and stretched, each by what it says of the target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import Rows
from concept_transfer.learners.learner import Models
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.sites.site import Site
from concept_transfer.strategies.strategy import Judged

Change = Callable[[Judged], Recalibration]


def recalibrate(
    family: Models,
    models: Any,
    change: Change,
    site: Site,
    rows: Rows,
    folds: Rows | None,
    prior: NDArray[np.float64],
) -> tuple[Any, NDArray[np.float64] | None]:
    """The models changed, and where labels tell how, what changes without a row's fold make of it.

    rows: [R, n] of the site; folds: [R, n], None where no label is used; prior: [classes], see
    `Judged`. Returns (models, float64 [R, n, classes] or None), NaN where the other folds hold one
    class.
    """
    needed = np.unique(rows)
    found = family.predict(models, site, needed)
    changes = []
    held = np.full((*rows.shape, found.shape[2]), np.nan)
    for i, own in enumerate(rows):
        probability = found[i, np.searchsorted(needed, own)]
        labels = None if folds is None else site.labels[own]
        changes.append(change(Judged(probability, labels, prior)))
        if folds is None or labels is None:
            continue
        for number in np.unique(folds[i]):
            out = folds[i] == number
            if len(np.unique(labels[~out])) > 1:
                others = change(Judged(probability[~out], labels[~out], prior))
                held[i, out] = others(probability[out])
    return family.recalibrated(models, changes), None if folds is None else held
