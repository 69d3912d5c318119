"""Extra trees: scikit-learn's forest, as arrays, smoothed and sharpened."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.ensemble import ExtraTreesClassifier

from concept_transfer.models.baselines import Examples
from concept_transfer.models.forest import PRIOR, SLOPES, TREES, Forest, fit_forest
from concept_transfer.models.recalibration import Recalibration


def examples(classes: int, encounters: int = 80) -> Examples:
    rng = np.random.default_rng(classes)
    findings = rng.random((encounters, 12)) < 0.4
    chance = findings[:, :classes] + 0.3
    labels = (chance.cumsum(1) < rng.random((encounters, 1)) * chance.sum(1, keepdims=True)).sum(1)
    return Examples(csr_array(findings.astype(float)), labels.astype(np.int8))


def plain(train: Examples, weights: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray:
    """The mean over scikit-learn's trees of the smoothed class shares of an encounter's leaf."""
    dense = train.findings.toarray()
    model = ExtraTreesClassifier(n_estimators=TREES, max_leaf_nodes=64, random_state=0)
    model.fit(dense, train.labels, sample_weight=weights)
    overall = np.array([weights[train.labels == k].sum() for k in range(classes)]) / weights.sum()
    mean = np.zeros((len(asked), classes))
    for tree in model.estimators_:
        members, leaves = tree.apply(dense), tree.apply(asked)
        for i, leaf in enumerate(leaves):
            own = weights[members == leaf] @ np.eye(classes)[train.labels[members == leaf]]
            mean[i] += (own + PRIOR * overall) / (own.sum() + PRIOR) / TREES
    return mean


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_the_mean_of_smoothed_trees(classes: int) -> None:
    train = examples(classes)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(train))
    asked = np.random.default_rng(1).random((9, 12)) < 0.4
    forests = fit_forest(train, weights, classes)
    expected = plain(train, weights, asked.astype(float), classes)
    found = forests[SLOPES.index(1.0)].predict_proba(csr_array(asked.astype(float)))
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_sharpening_stretches_about_the_prior(classes: int) -> None:
    train = examples(classes)
    forests = fit_forest(train, np.ones(len(train)), classes)
    prior = np.bincount(train.labels, minlength=classes) / len(train)
    together = forests.predict_all(train.findings)
    first = together[SLOPES.index(1.0)]
    for place, slope in enumerate(SLOPES):
        np.testing.assert_allclose(forests[place].predict_proba(train.findings), together[place])
        expected = prior * (first / prior) ** slope
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(together[place], expected, rtol=1e-9)


def test_it_is_kept_and_recalibrated() -> None:
    train = examples(2)
    model = fit_forest(train, np.ones(len(train)), 3)[2]
    change = Recalibration(0.7, np.array([0.2, -0.2, 0.0]))
    expected = change(model.predict_proba(train.findings))
    kept = Forest.from_arrays(model.recalibrated(change).arrays())
    found = kept.predict_proba(train.findings)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    assert found[:, 2].max() < 1e-6
