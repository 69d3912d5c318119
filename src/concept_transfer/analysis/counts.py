"""How often each token and concept is recorded at a site, in the sample and in bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.random import generator
from concept_transfer.sites.site import Site

GROUPS, FEWEST_GROUPS = 5000, 100
_NUMBERS = 20_000_000  # in a work array

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Counts of encounters by label (0: the first class, 1: any other); entry 0 of the first axis
    is the sample itself.

    ``encounters`` [1 + draws, 2], ``tokens`` [1 + draws, 2, tokens] (encounters that hold the
    token), ``concepts`` [1 + draws, 2, concepts] (encounters that hold any token of the concept),
    for ``units`` resampling units.
    """

    encounters: Array
    tokens: Array
    concepts: Array
    units: int

    @cached_property
    def whole(self) -> tuple[Array, Array, Array]:
        """(encounters [1 + draws], tokens, concepts) of both labels together."""
        return self.encounters.sum(1), self.tokens.sum(1), self.concepts.sum(1)

    def of_label(self, label: int) -> tuple[Array, Array, Array]:
        """(encounters [1 + draws], tokens, concepts) of one label."""
        return self.encounters[:, label], self.tokens[:, label], self.concepts[:, label]


def bootstrap_counts(site: Site, concept_of: NDArray[np.int64], draws: int, seed: int) -> Counts:
    """Count a site's tokens in the sample and in ``draws`` bootstrap draws of its clusters.

    ``concept_of`` [tokens] is the number of each token's concept. A draw takes one unit fewer
    than there are, with replacement. Beyond `GROUPS` clusters (fewer with a very large
    vocabulary) random groups of clusters are the units: they are as independent as clusters, and
    their sums vary alike. A site with one cluster has NaN in all draws.
    """
    rng = generator(seed, "counts", site.name)
    tokens, concepts = len(concept_of), int(concept_of.max()) + 1
    width = tokens + concepts
    unit, units = _units(site.split.cluster, width, rng)
    outcome = site.labels > 0
    sums = np.zeros(2 * units * width)
    step = max(_NUMBERS // width, 1)
    for start in range(0, len(site.labels), step):
        stop = min(start + step, len(site.labels))
        part = site.inputs["findings"].part(start, stop)
        held = np.zeros((len(part), width), bool)
        held[part.owners, part.values] = True
        held[part.owners, tokens + concept_of[part.values]] = True
        row, column = np.nonzero(held)
        cell = 2 * unit[start + row] + outcome[start + row]
        sums += np.bincount(cell * width + column, minlength=len(sums))
    weights = np.ones((1 + draws, units))
    weights[1:] = rng.multinomial(units - 1, np.full(units, 1 / units), size=draws)
    cells = np.bincount(2 * unit + outcome, minlength=2 * units).reshape(-1, 2)
    encounters = weights @ cells
    drawn = (weights @ sums.reshape(units, -1)).reshape(len(weights), 2, width)
    if units == 1:
        encounters[1:] = drawn[1:] = np.nan
    return Counts(encounters, drawn[..., :tokens], drawn[..., tokens:], units)


def _units(
    cluster: NDArray[np.object_], width: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], int]:
    """The resampling unit of every encounter, and their number."""
    ids, unit = np.unique(cluster.astype(str), return_inverse=True)
    most = max(min(GROUPS, _NUMBERS // (2 * width)), FEWEST_GROUPS)
    if len(ids) <= most:
        return unit, len(ids)
    return rng.permutation(len(ids))[unit] % most, most
