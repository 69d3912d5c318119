"""The AUROC that no model can exceed on average, where the truth about a site is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from concept_transfer.analysis.two_sample import clustered_auroc
from concept_transfer.cohorts.splits import Split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.intervals import Variance, share_interval
from concept_transfer.settings.sites import SimulatedSite, Task
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.network_files import read_network
from concept_transfer.sites.networks import posterior
from concept_transfer.study import resolve


def site_ceiling(
    site: SimulatedSite,
    extract: Extract,
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
    findings = extract.inputs["findings"].select(rows)
    chance = posterior(network, findings, vocabulary, task)
    _, cluster = np.unique(split.cluster[rows].astype(str), return_inverse=True)
    estimate, variance = clustered_auroc(extract.encounters.labels[rows], chance, cluster)
    spread = Variance(variance, 0, 0, int(cluster.max()) + 1, 1, "")
    lower, upper = share_interval(estimate, spread, confidence)
    return {"estimate": estimate, "lower": lower, "upper": upper}
