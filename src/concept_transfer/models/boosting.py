"""Gradient boosting on findings: fitted by scikit-learn, kept as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit, softmax

from concept_transfer.models.baselines import Arrays, Examples, spread
from concept_transfer.models.recalibration import Recalibration
from concept_transfer.models.trees import LEAF, Nodes, Trees, joined

TREES = (3, 6, 10, 20, 35, 50)
USUAL = TREES.index(10)
LEARNING_RATE = 0.2
HISTOGRAM_FROM = 2000  # training rows
MIN_SAMPLES_LEAF = 20  # of histogram trees


@dataclass(frozen=True)
class Boosting:
    """Trees fitted to the classes `present` int64 [C], ascending, of all K.

    They add to one score for two classes, the later one's logit, and to C for more. fewest: int64,
    no leaf holds fewer training encounters.
    """

    trees: Trees
    present: NDArray[np.int64]
    classes: int
    fewest: NDArray[np.int64]

    def predict_proba(self, matrix: csr_array) -> NDArray[np.float64]:
        """Probability of every class [n, K] of findings 0/1 [n, tokens]."""
        return self.probability(self.trees.scores(matrix).T)

    def recalibrated(self, change: Recalibration) -> Boosting:
        shift = change.intercepts[self.present]
        if len(self.trees.initial) == 1:
            shift = shift[1:] - shift[:1]
        initial = change.slope * self.trees.initial + shift
        trees = replace(self.trees, value=change.slope * self.trees.value, initial=initial)
        return replace(self, trees=trees)

    def arrays(self) -> Arrays:
        about = {"present": self.present, "classes": np.asarray(self.classes)}
        about["fewest"] = self.fewest
        return self.trees.arrays() | about

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Boosting:
        trees = Trees(*(arrays[field.name] for field in fields(Trees)))
        return cls(trees, arrays["present"], int(arrays["classes"]), arrays["fewest"])

    def probability(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, K] of scores [1 or C, n]."""
        if len(scores) > 1:
            probability = softmax(scores.T, axis=1)
        else:
            later = expit(scores[0])
            probability = np.stack([1 - later, later], 1)
        return spread(probability, self.present, self.classes)


@dataclass(frozen=True)
class Stages(Sequence[Boosting]):
    """A model with all trees, and those of its first `TREES` trees a score."""

    whole: Boosting

    def __len__(self) -> int:
        return len(TREES)

    def __getitem__(self, stage: Any) -> Any:
        return replace(self.whole, trees=self.whole.trees.first(TREES[stage]))

    def predict_all(self, matrix: csr_array) -> NDArray[np.float64]:
        """Probabilities [stages, n, K], all in one walk through the trees."""
        trees = self.whole.trees
        last = np.minimum(TREES, len(trees.roots)) - 1
        scores = np.empty((len(TREES), len(trees.initial), matrix.shape[0]))
        for rows, added in trees.parts(matrix):
            scores[:, :, rows] = added.cumsum(axis=0)[last]
        return np.stack([self.whole.probability(each) for each in scores])


def fit_boosting(
    train: Examples, weights: NDArray[np.float64], classes: int = 2, min_leaf: int = 1
) -> Stages:
    """Fit on the findings that can carry a split.

    Below `HISTOGRAM_FROM` training rows scikit-learn's plain trees of depth 3, whose leaves hold
    `min_leaf` rows or more, each split chosen among a random square root of the findings (Breiman
    2001, Machine Learning 45): on few rows, trees that see all findings repeat each other's chance
    splits. From there on histogram trees with at least twenty rows a leaf, as good and quicker.
    weights: [n], each encounter's in the loss. The labels hold two classes at least.
    """
    fitted = _plain if len(train) < HISTOGRAM_FROM else _histogram
    leaf = min_leaf if fitted is _plain else max(min_leaf, MIN_SAMPLES_LEAF)
    held = np.asarray(train.findings.sum(axis=0)).ravel()
    columns = np.flatnonzero((held >= leaf) & (held <= len(train) - leaf))
    if not len(columns):
        columns = np.arange(1)
    matrix = train.findings[:, columns].toarray()
    trees = fitted(matrix, train.labels, weights, columns, leaf)
    present = np.unique(train.labels).astype(np.int64)
    return Stages(Boosting(trees, present, classes, np.asarray(min(leaf, len(train)))))


def _plain(
    matrix: NDArray[np.float64],
    labels: NDArray[np.int8],
    weights: NDArray[np.float64],
    columns: NDArray[np.int64],
    leaf: int,
) -> Trees:
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        n_estimators=TREES[-1],
        learning_rate=LEARNING_RATE,
        min_samples_leaf=leaf,
        max_features="sqrt",
        random_state=0,
    )
    model.fit(matrix, labels, sample_weight=weights)
    fitted = [regressor.tree_ for regressor in model.estimators_.flat]
    nodes = [
        Nodes(
            tree.feature,
            tree.children_left,
            tree.children_right,
            tree.value[:, 0, 0] * model.learning_rate,
        )
        for tree in fitted
    ]
    return joined(nodes, columns, model._raw_predict_init(matrix[:1])[0])


def _histogram(
    matrix: NDArray[np.float64],
    labels: NDArray[np.int8],
    weights: NDArray[np.float64],
    columns: NDArray[np.int64],
    leaf: int,
) -> Trees:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=TREES[-1],
        learning_rate=LEARNING_RATE,
        min_samples_leaf=leaf,
        early_stopping=False,
        random_state=0,
    )
    model.fit(matrix, labels, sample_weight=weights)
    fitted = [predictor.nodes for stage in model._predictors for predictor in stage]
    nodes = [
        Nodes(
            tree["feature_idx"],
            np.where(tree["is_leaf"], LEAF, tree["left"].astype(np.int64)),
            np.where(tree["is_leaf"], LEAF, tree["right"].astype(np.int64)),
            tree["value"],
        )
        for tree in fitted
    ]
    return joined(nodes, columns, model._baseline_prediction.ravel())
