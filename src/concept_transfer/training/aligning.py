"""Handed-on models that take the target's features as if they were the source's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.learners.learner import AligningFamily
from concept_transfer.models.alignment import Affine, Moments
from concept_transfer.sites.site import Site

Change = Callable[[Moments, Moments], Affine]


def align(
    family: AligningFamily,
    models: Any,
    change: Change,
    source: Site,
    target: Site,
    pool: NDArray[np.int64],
) -> Any:
    """R models changed, each by the moments of the features that it is linear in.

    They are those of the source's encounters that are never tested, and of the target's rows `pool`
    [n], whose labels are not looked at.
    """
    rows = np.concatenate(source.split.source_parts())
    here, there = family.moments(models, source, rows), family.moments(models, target, pool)
    maps: dict[tuple[int, int], Affine] = {}
    for own, other in zip(here, there, strict=True):
        if (id(own), id(other)) not in maps:
            maps[id(own), id(other)] = change(own, other)
    chosen = [maps[id(own), id(other)] for own, other in zip(here, there, strict=True)]
    return family.mapped(models, chosen)
