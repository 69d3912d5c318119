"""Classifier two-sample test: can a model tell from its findings which site an encounter is of?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from concept_transfer.analysis.random import generator
from concept_transfer.evaluation.delong import clustered_auroc
from concept_transfer.sites.site import Site

ENCOUNTERS = 5000  # of each site, drawn without replacement
FOLDS = 5


def classifier_auroc(
    a: Site, b: Site, rows: tuple[NDArray[np.int64], NDArray[np.int64]], tokens: int, seed: int
) -> tuple[float, float]:
    """AUROC of telling the sites' encounters ``rows`` apart, and its standard error.

    Logistic regression (C = 1) on one-hot findings, cross-fitted in folds that keep clusters
    together and hold both sites' clusters in equal shares; the mean of the folds' AUROCs, so that
    scores of different models are never ranked against each other. 0.5: the sites look alike; 1:
    every encounter betrays its site.
    """
    from sklearn.linear_model import LogisticRegression

    features, site, cluster, fold = _stack((a, b), rows, tokens, seed)
    auroc, error = [], []
    for number in range(FOLDS):
        test = fold == number
        model = LogisticRegression(max_iter=1000).fit(features[~test], site[~test])
        score = model.decision_function(features[test])
        value, sampling = clustered_auroc(site[test], score, cluster[test])
        auroc.append(value)
        error.append(sampling.variance)
    return float(np.mean(auroc)), float(np.sqrt(np.sum(error)) / FOLDS)


def _stack(
    sites: tuple[Site, Site],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    tokens: int,
    seed: int,
) -> tuple[Any, NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
    """One-hot findings [n, tokens], site (0, 1), cluster and fold of both sites' encounters."""
    from scipy.sparse import csr_array, vstack

    features, labels, clusters, folds = [], [], [], []
    for label, (site, chosen) in enumerate(zip(sites, rows, strict=True)):
        features.append(site.inputs["findings"].select(chosen).matrix(tokens))
        labels.append(np.full(len(chosen), label, np.int8))
        ids, unit = np.unique(site.split.cluster[chosen].astype(str), return_inverse=True)
        clusters.append(2 * unit + label)
        folds.append(generator(seed, "folds", site.name).permutation(len(ids))[unit] % FOLDS)
    return (
        csr_array(vstack(features)),
        np.concatenate(labels),
        np.concatenate(clusters),
        np.concatenate(folds),
    )
