"""The AUROC that no model can exceed on average, where the truth about a site is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.settings.sites import SimulatedSite, Task
from concept_transfer.sites.encounters import Encounters
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import bayes_auroc
from concept_transfer.sites.splits import Split
from concept_transfer.study import resolve


def site_ceiling(
    site: SimulatedSite,
    encounters: Encounters,
    split: Split,
    vocabulary: Vocabulary,
    task: Task,
    root: Path,
) -> float:
    """AUROC of the exact posterior on the site's test encounters (of all folds).

    The posterior is that of the network which the site was sampled from, given the tokens that
    the task shows to models.
    """
    network = read_network(resolve(site.network, root))
    test = take(encounters, np.flatnonzero(split.fold >= 0))
    return bayes_auroc(network, test, vocabulary, task)


def take(encounters: Encounters, rows: NDArray[np.int64]) -> Encounters:
    """The encounters of the given rows, in their order."""
    sizes = np.diff(encounters.offsets)[rows]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
    tokens = encounters.tokens[np.repeat(encounters.offsets[rows], sizes) + within]
    return Encounters(encounters.table.take(rows), offsets, np.asarray(tokens, np.int32))
