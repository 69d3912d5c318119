"""How each fitted model is to be recalibrated, by predictions of labels that were held out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.models.recalibration import recalibrated
from concept_transfer.sites.site import Site
from concept_transfer.training.fitting import FoldFit
from concept_transfer.training.predictions import OK
from concept_transfer.training.work import Workbench


def calibrations(bench: Workbench, fitted: FoldFit, site: Site) -> list[dict[str, Any] | None]:
    """One a replicate: ``slope`` and ``intercepts`` of its recalibration, the number of labels that
    taught it (``encounters``) and how many of these have the rarest class (``rarest``).

    They are the encounters to train and to validate on where `FoldFit.held` has predictions of
    them, else those to validate on. None where there is no model, or the labels hold one class.
    """
    found: list[dict[str, Any] | None] = [None] * len(bench.replicates)
    if fitted.models is None or fitted.budget is None:
        return found
    budget = fitted.budget
    rows, held = budget.validation, fitted.held
    if held is None:
        needed = np.unique(rows)
        said = bench.among(fitted.places).predict(fitted.models, site, needed)
        at = np.searchsorted(needed, rows[fitted.places])
        held = np.take_along_axis(said, at[..., None], axis=1)
    else:
        rows = np.concatenate([budget.train, rows], axis=1)
    for place, probability in zip(fitted.places, held, strict=True):
        if fitted.status[place] == OK:
            found[place] = _calibration(probability, site.labels[rows[place]])
    return found


def _calibration(
    probability: NDArray[np.float64], labels: NDArray[np.int8]
) -> dict[str, Any] | None:
    """Of probabilities [n, classes]; rows of NaN were predicted by nobody."""
    known = np.isfinite(probability).all(axis=1)
    counts = np.bincount(labels[known], minlength=probability.shape[1])
    if (counts > 0).sum() < 2:
        return None
    change = recalibrated(probability[known], labels[known], slope=True)
    return {
        "slope": change.slope,
        "intercepts": change.intercepts.tolist(),
        "encounters": int(known.sum()),
        "rarest": int(counts.min()),
    }
