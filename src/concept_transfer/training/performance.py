"""The AUROC by which a job judges its own models; `evaluation` measures them with intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.evaluation.delong import auroc


def macro_auroc(
    labels: NDArray[np.int8],
    probability: NDArray[np.floating],
    fold: NDArray[np.int64] | None = None,
) -> float | None:
    """Area under the ROC curve; None where it is not defined.

    probability: of the second of two classes [n], or of each of several [n, classes], whose areas
    against the rest are averaged over those that are there. fold [n]: whose model predicted, where
    there are several.
    """
    area = float("nan") if np.isnan(probability).any() else auroc(labels, probability, fold)
    return None if np.isnan(area) else area
