"""The AUROC that no model can exceed on average, where the truth about a site is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splits import Split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.delong import clustered_auroc
from concept_transfer.evaluation.intervals import Variance, share_interval
from concept_transfer.registry import imported
from concept_transfer.settings.sites import SiteSection
from concept_transfer.settings.task import Task
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.sites.extract import Extract


def site_ceiling(
    site: SiteSection,
    extract: Extract,
    split: Split,
    vocabulary: Vocabulary,
    task: Task,
    root: Path,
    confidence: float,
) -> dict[str, float]:
    """AUROC of the true probability on the site's test encounters: estimate, lower, upper.

    The probability is that of the truth which the site was sampled from, given the tokens that the
    task shows to models, or all that is hidden (as the adapter says). Test encounters (of all
    folds) are a sample of what could have come: the interval, by Obuchowski's variance for related
    encounters of a cluster, is for the AUROC on all of it. Of more than two classes it is the mean
    AUROC of one against the rest, and its error that of classes whose errors agree, which is too
    large rather than too small.
    """
    rows = np.flatnonzero(split.fold >= 0)
    findings = extract.inputs["findings"].select(rows)
    posterior = imported(ADAPTERS[site.adapter].posterior)
    encounters = Encounters(extract.encounters.table.take(rows))
    chances = posterior(site, encounters, findings, vocabulary, task, root)
    labels = encounters.labels
    _, cluster = np.unique(split.cluster[rows].astype(str), return_inverse=True)
    present = np.unique(labels)
    areas, samplings = zip(
        *(
            clustered_auroc((labels == number).astype(np.int8), chances[:, number], cluster)
            for number in (present if len(task.class_names) > 2 else [1])
        ),
        strict=True,
    )
    error = float(np.mean([sampling.variance**0.5 for sampling in samplings]))
    spread = Variance.of_sampling(error**2, int(cluster.max()) + 1)
    estimate = float(np.mean(areas))
    lower, upper = share_interval(estimate, spread, confidence)
    return {"estimate": estimate, "lower": lower, "upper": upper}
