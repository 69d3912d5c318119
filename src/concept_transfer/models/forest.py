"""Extremely randomised trees on findings: fitted by scikit-learn, kept as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from concept_transfer.models.baselines import Arrays, Examples, spread
from concept_transfer.models.recalibration import Recalibration, log_probability
from concept_transfer.models.trees import Nodes, Trees, joined

TREES = 100
MOST_LEAVES = 64  # of a tree (`Trees`)
SLOPES = (1.0, 1.5, 2.0, 3.0)
USUAL = SLOPES.index(1.5)
PRIOR = 1.0  # encounters that every leaf is smoothed with, classes as in all of training


@dataclass(frozen=True)
class Forest:
    """The mean of trees' class shares, recalibrated.

    trees: their sum, a score a class of `present` int64 [C], ascending, of all K; slope and
    intercepts float64 [K]: what was made of the log probabilities afterwards; fewest: int64, no
    leaf holds fewer training encounters.
    """

    trees: Trees
    present: NDArray[np.int64]
    slope: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    fewest: NDArray[np.int64]

    def predict_proba(self, matrix: csr_array) -> NDArray[np.float64]:
        """Probability of every class [n, K] of findings 0/1 [n, tokens]."""
        shares = spread(self.trees.scores(matrix), self.present, len(self.intercepts))
        return Recalibration(float(self.slope), self.intercepts)(shares)

    def recalibrated(self, change: Recalibration) -> Forest:
        slope = change.slope * self.slope
        return replace(
            self, slope=slope, intercepts=change.slope * self.intercepts + change.intercepts
        )

    def arrays(self) -> Arrays:
        names = ("present", "slope", "intercepts", "fewest")
        return self.trees.arrays() | {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Forest:
        trees = Trees(*(arrays[field.name] for field in fields(Trees)))
        names = ("present", "slope", "intercepts", "fewest")
        return cls(trees, *(arrays[name] for name in names))


@dataclass(frozen=True)
class Sharpened(Sequence[Forest]):
    """A forest whose log probabilities are `SLOPES` times as far from those of the `prior`
    float64 [K], class shares of training: a mean of trees is too timid."""

    forest: Forest
    prior: NDArray[np.float64]

    def __len__(self) -> int:
        return len(SLOPES)

    def __getitem__(self, place: Any) -> Any:
        return self.forest.recalibrated(self._change(SLOPES[place]))

    def predict_all(self, matrix: csr_array) -> NDArray[np.float64]:
        """Probabilities [slopes, n, K], all of one walk through the trees."""
        probability = self.forest.predict_proba(matrix)
        return np.stack([self._change(slope)(probability) for slope in SLOPES])

    def _change(self, slope: float) -> Recalibration:
        return Recalibration(slope, (1 - slope) * log_probability(self.prior))


def fit_forest(
    train: Examples, weights: NDArray[np.float64], classes: int, min_leaf: int = 1
) -> Sharpened:
    """Extremely randomised trees (Geurts, Ernst, Wehenkel 2006, doi:10.1007/s10994-006-6226-1).

    weights: [n], each encounter's. Leaves hold `min_leaf` encounters or more; their class shares
    are drawn towards those of all, so that no probability is 0 for a class that was seen.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    held = np.asarray(train.findings.sum(axis=0)).ravel()
    columns = np.flatnonzero((held > 0) & (held < len(train)))
    if not len(columns):
        columns = np.arange(1)
    model = ExtraTreesClassifier(
        n_estimators=TREES,
        max_leaf_nodes=MOST_LEAVES,
        min_samples_leaf=min_leaf,
        random_state=0,
        n_jobs=1,
    )
    matrix = train.findings[:, columns].toarray()
    model.fit(matrix, train.labels, sample_weight=weights)
    present = np.unique(train.labels).astype(np.int64)
    prior = np.bincount(train.labels, weights, classes) / weights.sum()
    nodes = [
        Nodes(tree.feature, tree.children_left, tree.children_right, shares / TREES)
        for tree in (estimator.tree_ for estimator in model.estimators_)
        for shares in _shares(tree.value[:, 0], tree.weighted_n_node_samples, prior[present]).T
    ]
    trees = joined(nodes, columns, np.zeros(len(present)))
    fewest = np.asarray(min(min_leaf, len(train)))
    forest = Forest(trees, present, np.asarray(1.0), np.zeros(classes), fewest)
    return Sharpened(forest, prior)


def _shares(
    shares: NDArray[np.float64], weight: NDArray[np.float64], overall: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Class shares [nodes, C] of nodes with weights [nodes], smoothed."""
    total = weight[:, None]
    own = total * shares / shares.sum(axis=1, keepdims=True)
    return np.asarray((own + PRIOR * overall) / (total + PRIOR))
