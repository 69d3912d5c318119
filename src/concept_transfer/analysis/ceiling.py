"""The AUROC that no model can exceed on average, where the truth about a site is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.delong import clustered_auroc
from concept_transfer.evaluation.intervals import Variance, share_interval
from concept_transfer.paths import resolve
from concept_transfer.settings.sites import SimulatedSite, Task
from concept_transfer.sites.encounters import Encounters
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import posterior
from concept_transfer.sites.splits import Split


def site_ceiling(
    site: SimulatedSite,
    encounters: Encounters,
    split: Split,
    vocabulary: Vocabulary,
    task: Task,
    root: Path,
    confidence: float,
) -> dict[str, float]:
    """AUROC of the exact posterior on the site's test encounters: estimate, lower, upper.

    The posterior is that of the network which the site was sampled from, given the tokens that
    the task shows to models. Test encounters (of all folds) are a sample of the network's: the
    interval, by Obuchowski's variance for related encounters of a cluster, is for the AUROC on
    all encounters that the network could have given.
    """
    network = read_network(resolve(site.network, root))
    rows = np.flatnonzero(split.fold >= 0)
    test = take(encounters, rows)
    chance = posterior(network, test, vocabulary, task)
    _, cluster = np.unique(split.cluster[rows].astype(str), return_inverse=True)
    estimate, sampling = clustered_auroc(test.labels, chance, cluster)
    spread = Variance.of_sampling(sampling.variance, int(cluster.max()) + 1)
    lower, upper = share_interval(estimate, spread, confidence)
    return {"estimate": estimate, "lower": lower, "upper": upper}


def take(encounters: Encounters, rows: NDArray[np.int64]) -> Encounters:
    """The encounters of the given rows, in their order."""
    sizes = np.diff(encounters.offsets)[rows]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
    tokens = encounters.tokens[np.repeat(encounters.offsets[rows], sizes) + within]
    return Encounters(encounters.table.take(rows), offsets, np.asarray(tokens, np.int32))
