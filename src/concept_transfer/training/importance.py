"""Weights that make a source's encounters stand for a target's, by a classifier of the two sites.

Under covariate shift the risk given the findings is the same at both sites, and the source's loss
weighted by p_target(x) / p_source(x) is the target's (Shimodaira 2000,
doi:10.1016/S0378-3758(00)00115-4). The ratio is the odds of a classifier that tells the target's
encounters from the source's (Bickel, Bruckner, Scheffer 2009, JMLR 10, 2137-2155).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import csr_array, vstack
from scipy.special import logit

from concept_transfer.cohorts.cross_fitting import grouped_folds
from concept_transfer.models.baselines import Examples, losses, predict_all
from concept_transfer.models.logistic import fit_logistic
from concept_transfer.sites.site import Site

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def importance_weights(
    source: Site, rows: Rows, target: Site, pool: Rows, effective: float
) -> Floats:
    """Weights of the source's encounters in the loss, float64 [its encounters].

    They have a mean of 1 over `rows` [n] and are 0 elsewhere. pool: [m], the target's encounters to
    stand for, whose labels are not looked at; effective: see `flattened`.
    """
    ratio = flattened(chance_of_target(source, rows, target, pool), effective)
    weights = np.zeros(len(source.labels))
    weights[rows] = ratio / ratio.mean()
    return weights


def flattened(chance: Floats, effective: float) -> Floats:
    """The ratio of densities to a power of 1 (Shimodaira 2000), or of less so that the weights [n]
    are worth n times `effective` encounters of equal weight (Kish 1965) at least.

    chance: [n], that an encounter is the target's, were both sites equally large.

    >>> flattened(np.array([0.5, 0.5, 0.75]), 0.5).round(6).tolist()
    [1.0, 1.0, 3.0]
    """
    score = logit(chance)

    def spare(power: float) -> float:
        return worth(np.exp(power * (score - score.max()))) - effective * len(chance)

    power = 1.0 if spare(1.0) >= 0 else brentq(spare, 0.0, 1.0)
    return np.asarray(np.exp(power * score))


def worth(weights: Floats) -> float:
    """The number of encounters of equal weight that tell as much about a mean (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def chance_of_target(source: Site, rows: Rows, target: Site, pool: Rows) -> Floats:
    """The chance [n] that each of the source's rows [n] is one of the target's, by a classifier of
    findings that has not seen the row's cluster; either site counts half.

    Logistic regression; its penalty has the least log loss on encounters of other folds.
    """
    examples = _of_two_sites(source, rows, target, pool)
    size = np.where(examples.labels == 1, len(pool), len(rows))
    weights = len(examples) / (2 * size)
    folds = np.concatenate([_folds(source, rows), _folds(target, pool)])
    found: list[Floats] = []
    for fold in np.unique(folds):
        rest = np.flatnonzero(folds != fold)
        models = fit_logistic(examples.select(rest), weights[rest])
        found.append(predict_all(models, examples.findings[folds == fold]))
    held = np.concatenate(found, axis=1)[:, np.argsort(np.argsort(folds, kind="stable"))]
    loss = [weights @ losses(each, examples.labels) for each in held]
    chance: Floats = held[int(np.argmin(loss)), : len(rows), 1]
    return chance


def _folds(site: Site, rows: Rows) -> Rows:
    """Folds of clusters that no label has a part in."""
    return grouped_folds(site.split.cluster_number[rows], np.zeros(len(rows), np.int8))


def _of_two_sites(source: Site, rows: Rows, target: Site, pool: Rows) -> Examples:
    """Findings of both; the label is 1 for the target's."""
    parts = [(site.inputs["findings"].select(r), r) for site, r in ((source, rows), (target, pool))]
    width = 1 + max(int(findings.values.max(initial=0)) for findings, _ in parts)
    matrix: csr_array = vstack([findings.matrix(width) for findings, _ in parts], format="csr")
    return Examples(matrix, np.repeat(np.array([0, 1], np.int8), [len(rows), len(pool)]))
