"""Trains the models that a site hands on."""

from __future__ import annotations

import numpy as np

from concept_transfer.cohorts.budget import Budget, same_for_all
from concept_transfer.errors import StudyError
from concept_transfer.settings.training import Training
from concept_transfer.sites.site import Site
from concept_transfer.strategies.local import Local
from concept_transfer.training.calibrating import calibrations
from concept_transfer.training.fitting import fit_fold
from concept_transfer.training.performance import known_at_source
from concept_transfer.training.work import HandedOn, Work, Workbench


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
    areas = known_at_source(bench.everyone(), fitted.models, site, fitted.held)
    records = [
        each | {"source_auroc": area}
        for each, area in zip(fitted.records(bench.replicates), areas, strict=True)
    ]
    return HandedOn(fitted.models, records, calibrations(bench, fitted, site))
