"""Edges of bins from the training encounters of one site."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.cohorts.splitting import make_split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.registry import imported
from concept_transfer.settings.sites import SiteSection
from concept_transfer.settings.splits import SplitSettings
from concept_transfer.settings.task import Task
from concept_transfer.sites.adapters import ADAPTERS

_STEPS = 50


def training_edges(
    name: str,
    site: SiteSection,
    bins: Mapping[str, int],
    vocabulary: Vocabulary,
    task: Task,
    split: SplitSettings,
    seed: int,
    root: Path,
) -> dict[str, dict[str, Any]]:
    """Concept -> its `edges`, the number of `bins` they make, and how many `numbers` gave them.

    `bins` says how many bins each concept should have. Only encounters count on which the site's
    own source models train; under cross-fitting those test in another fold. `vocabulary` holds the
    concepts, with whatever bins. Raises StudyError where the numbers cannot be divided.
    """
    adapter = ADAPTERS[site.adapter]
    encounters = imported(adapter.read)(site, vocabulary, task, root).encounters
    training, _ = make_split(encounters, split, seed, f"site {name}").source_parts()
    written = {}
    for concept, wanted in bins.items():
        numbers = imported(adapter.numbers)(site, concept, vocabulary, root)[training]
        edges = quantile_edges(numbers, wanted)
        if not edges:
            raise StudyError(
                f"bins.{concept}: the {int((~np.isnan(numbers)).sum())} numbers in the training "
                f"encounters of site {name} do not differ enough to be divided; give 'edges', or "
                "take the quantiles of another site"
            )
        count = int((~np.isnan(numbers)).sum())
        written[concept] = {"edges": edges, "bins": len(edges) + 1, "numbers": count}
    return written


def quantile_edges(numbers: NDArray[np.float64], bins: int) -> list[float]:
    """Edges that divide numbers (float64 [n], NaN ignored) into about equally full bins.

    Each is the smallest number that has i / bins of the numbers below or at it (the next larger
    where that is the smallest of all), rounded to the power of ten that is at most a fiftieth of
    the range of the middle eight tenths. Edges that become equal are one: ties make fewer bins.
    """
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return []
    cuts = np.quantile(known, np.arange(1, bins) / bins, method="inverted_cdf")
    low, high = np.quantile(known, [0.1, 0.9], method="inverted_cdf")
    spread = (high - low) or np.ptp(known)
    if not spread:
        return []
    above = known[known > known.min()].min()
    cuts = np.maximum(cuts, above)
    decimals = -int(np.floor(np.log10(spread / _STEPS)))
    rounded = np.unique(np.round(cuts, decimals))
    inside = rounded[(rounded > known.min()) & (rounded <= known.max())]
    return [float(edge) for edge in (inside if len(inside) else np.unique(cuts))]
