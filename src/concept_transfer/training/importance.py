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
from scipy.sparse import vstack

from concept_transfer.cohorts.cross_fitting import grouped_folds
from concept_transfer.models.logistic_mode import Floats, TwoClasses
from concept_transfer.models.ridge_logistic import cross_fit
from concept_transfer.sites.site import Site
from concept_transfer.training.performance import worth

Rows = NDArray[np.int64]


def importance_weights(
    source: Site, rows: Rows, target: Site, pool: Rows, effective: float
) -> Floats:
    """Weights of the source's encounters in the loss, float64 [its encounters].

    They have a mean of 1 over `rows` [n] and are 0 elsewhere. pool: [m], the target's encounters to
    stand for, whose labels are not looked at; effective: see `flattened`.
    """
    ratio = flattened(log_ratio(source, rows, target, pool), effective)
    weights = np.zeros(len(source.labels))
    weights[rows] = ratio / ratio.mean()
    return weights


def flattened(scores: Floats, effective: float) -> Floats:
    """The ratio of densities to a power of 1 (Shimodaira 2000), or of less so that the weights [n]
    are worth n times `effective` encounters of equal weight (`worth`) at least.

    scores: [n], logarithms of the ratio.

    >>> flattened(np.log([1, 1, 3]), 0.5).round(6).tolist()
    [1.0, 1.0, 3.0]
    """

    def spare(power: float) -> float:
        return worth(np.exp(power * (scores - scores.max()))) - effective * len(scores)

    power = 1.0 if spare(1.0) >= 0 else brentq(spare, 0.0, 1.0)
    return np.asarray(np.exp(power * scores))


def log_ratio(source: Site, rows: Rows, target: Site, pool: Rows) -> Floats:
    """The log odds [n] that each of the source's rows [n] is one of the target's, were both sites
    equally large, by a ridge logistic regression on findings that has not seen the row's cluster.
    """
    findings = [
        site.inputs["findings"].select(own) for site, own in ((source, rows), (target, pool))
    ]
    width = 1 + max(int(each.values.max(initial=0)) for each in findings)
    size = np.array([len(rows), len(pool)])
    both = TwoClasses(
        vstack([each.matrix(width) for each in findings], format="csr"),
        np.repeat([0.0, 1.0], size),
        np.repeat(size.sum() / (2 * size), size),
    )
    folds = np.concatenate([_folds(source, rows), _folds(target, pool)])
    return cross_fit(both, folds, None)[1][: len(rows)]


def _folds(site: Site, rows: Rows) -> Rows:
    """Folds of clusters that no label has a part in."""
    return grouped_folds(site.split.cluster_number[rows], np.zeros(len(rows), np.int8))
