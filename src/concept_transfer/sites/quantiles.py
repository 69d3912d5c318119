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
from concept_transfer.settings.sites import Split, TabularSite, Task
from concept_transfer.sites.binning import numbers_of
from concept_transfer.sites.files import read_table, text_column
from concept_transfer.sites.layout import layout_of
from concept_transfer.sites.spelling import spelled, spelling_of_concept, spelling_of_label
from concept_transfer.sites.tabular import read_tabular

_STEPS = 50


def training_edges(
    name: str,
    site: TabularSite,
    bins: Mapping[str, int],
    vocabulary: Vocabulary,
    split: Split,
    seed: int,
    root: Path,
) -> dict[str, dict[str, Any]]:
    """Concept -> its `edges`, the number of `bins` they make, and how many `numbers` gave them.

    `bins` says how many bins each concept should have. Only encounters count on which the site's
    own source models train; under cross-fitting those test in another fold. `vocabulary` holds the
    concepts, with whatever bins. Raises StudyError where the numbers cannot be divided.
    """
    encounters = read_tabular(site, vocabulary, Task(label=site.label.column), root).encounters
    training, _ = make_split(encounters, split, seed, f"site {name}").source_parts()
    found = {}
    for concept, wanted in bins.items():
        numbers = _numbers(site, concept, vocabulary, root)[training]
        edges = quantile_edges(numbers, wanted)
        if not edges:
            raise StudyError(
                f"bins.{concept}: the {int((~np.isnan(numbers)).sum())} numbers in the training "
                f"encounters of site {name} do not differ enough to be divided; give 'edges', or "
                "take the quantiles of another site"
            )
        count = int((~np.isnan(numbers)).sum())
        found[concept] = {"edges": edges, "bins": len(edges) + 1, "numbers": count}
    return found


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


def _numbers(
    site: TabularSite, concept: str, vocabulary: Vocabulary, root: Path
) -> NDArray[np.float64]:
    """The concept's number at every encounter of the site, the smallest where columns differ."""
    layout = layout_of(site, vocabulary, root)
    names = layout.concept_columns[concept]
    spellings = spelling_of_concept(site, vocabulary, concept)
    kinds = spelling_of_label(site)
    parts = []
    for file in layout.files:
        table = read_table(file.path, [site.label.column, *names])
        label = text_column(table.column(site.label.column))
        kept = np.array([kinds.get(spelled(value)) != "drop" for value in label.values])[
            label.codes
        ]
        columns = [numbers_of(table.column(name), spellings) for name in names]
        parts.append(np.fmin.reduce(columns)[kept])
    return np.concatenate(parts)
