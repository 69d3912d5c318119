"""Trains the models that a site hands on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.budget import Budget, same_for_all
from concept_transfer.errors import StudyError
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.local import Local
from concept_transfer.training.cells import HandedOn, Work, Workbench, fit_fold
from concept_transfer.training.performance import macro_auroc


def train_source(site: Site, bench: Workbench, training: Training) -> HandedOn:
    """Fit the models a source site hands on, and one record a replicate.

    A record says, besides what `record` does, the AUROC on the source's own validation encounters
    (``source_auroc``; None where they hold one class): by it a model can be chosen for a target
    without any of the target's labels. Raises StudyError where the site's training encounters
    hold one class only.
    """
    replicates = len(bench.replicates)
    train, validation = (same_for_all(rows, replicates) for rows in site.split.source_parts())
    work = Work(Local(kind="local"), "all", training, site, hands_on=True)
    fitted = fit_fold(bench, work, Budget(train, validation))
    if fitted.models is None:
        count = train.shape[1]
        known = int(np.argmax(fitted.labels[0]))
        raise StudyError(
            f"site '{site.name}' has {count if known else 0} positives among its {count} training "
            "encounters; a source model needs both classes"
        )
    probability = (
        bench.everyone().predict(fitted.models, site, validation[0])
        if fitted.held is None
        else fitted.held[:, train.shape[1] :]
    )
    labels = site.labels[validation[0]]
    records = [
        each | {"source_auroc": _auroc(labels, scores)}
        for each, scores in zip(fitted.records(bench.replicates), probability, strict=True)
    ]
    return HandedOn(fitted.models, records)


def _auroc(labels: NDArray[np.int8], probability: NDArray[np.float64]) -> float | None:
    """Of the encounters that a model could be fitted for; probability: [n, classes]."""
    known = np.isfinite(probability).all(axis=1)
    scores = probability[:, 1] if probability.shape[1] == 2 else probability
    return macro_auroc(labels[known], scores[known])
