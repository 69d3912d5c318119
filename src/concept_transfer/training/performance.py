"""The AUROC by which a job judges its own models; `evaluation` measures them with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.evaluation.delong import auroc

if TYPE_CHECKING:
    from concept_transfer.learners.learner import Models
    from concept_transfer.sites.site import Site
    from concept_transfer.strategies.strategy import Part


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


def known_at_source(
    family: Models, models: Any, site: Site, held: NDArray[np.float64] | None
) -> list[float | None]:
    """AUROC of each of R models on the validation encounters of the site they learned at.

    held: float64 [R, n, classes], of its encounters to train and then to validate on by models that
    had not seen them; None where models have not seen those to validate on. Encounters that no
    model could be fitted for do not count; None where the others hold one class.
    """
    train, validation = site.split.source_parts()
    probability = (
        family.predict(models, site, validation) if held is None else held[:, len(train) :]
    )
    labels, areas = site.labels[validation], []
    for each in probability:
        known = np.isfinite(each).all(axis=1)
        scores = each[:, 1] if each.shape[1] == 2 else each
        areas.append(macro_auroc(labels[known], scores[known]))
    return areas


def worth(weights: NDArray[np.float64]) -> float:
    """The number of encounters of equal weight that tell as much about a mean (Kish 1965, Survey
    sampling)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def effective(part: Part) -> dict[str, float]:
    """What a part is `worth`, as ``effective_encounters``; nothing where all weigh the same."""
    if isinstance(part.weight, float):
        return {}
    return {"effective_encounters": worth(part.weight[part.rows[0]])}
