"""Naive Bayes against scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.naive_bayes import BernoulliNB

from concept_transfer.learners.naive_bayes import NaiveBayes, fit, leaves
from concept_transfer.models.baselines import Examples
from concept_transfer.training.one_by_one import Stack


def settings(**changes: Any) -> NaiveBayes:
    return NaiveBayes(kind="naive_bayes", **changes)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("smoothing", [0.01, 1.0])
def test_probabilities_are_those_of_scikit_learn(classes: int, smoothing: float) -> None:
    rng = np.random.default_rng(classes)
    findings = (rng.random((300, 12)) < 0.3).astype(float)
    labels = rng.integers(classes, size=300).astype(np.int8)
    weights = rng.uniform(0.2, 2, size=300)
    model = fit(
        settings(smoothing=smoothing), Examples(csr_array(findings), labels), weights, classes
    )
    reference = BernoulliNB(alpha=smoothing).fit(findings, labels, sample_weight=weights)
    seen = (rng.random((50, 12)) < 0.3).astype(float)
    found = model.predict_proba(csr_array(seen))
    np.testing.assert_allclose(found, reference.predict_proba(seen), atol=1e-12)


def test_a_class_without_encounters_has_no_probability() -> None:
    findings = csr_array(np.eye(4))
    labels = np.array([0, 1, 1, 0], np.int8)
    model = fit(settings(), Examples(findings, labels), np.ones(4), 3)
    assert (model.predict_proba(findings)[:, 2] == 0).all()


@pytest.mark.parametrize("weight", [1.0, 1.7])
def test_rounded_counts_tell_none_that_is_small(weight: float) -> None:
    """Whoever knows the sizes of the classes can compute every count from the weights."""
    rng = np.random.default_rng(5)
    findings = (rng.random((400, 40)) < np.linspace(0, 0.2, 40)).astype(float)
    labels = (rng.random(400) < 0.2).astype(np.int8)
    train, weights = Examples(csr_array(findings), labels), np.full(400, weight)

    def told(rounded_to: int) -> np.ndarray:
        """Encounters of each class with each token, [tokens, classes]."""
        model = fit(settings(rounded_to=rounded_to), train, weights, 2)
        share = expit(model.present)
        prior = np.exp(model.absent - np.log1p(-share).sum(axis=0))
        sizes = rounded_to * np.round(np.bincount(labels) / rounded_to)
        np.testing.assert_allclose(prior, sizes / sizes.sum())
        return (share * (sizes * weight + 2) - 1) / weight

    true = np.stack([findings[labels == k].sum(axis=0) for k in range(2)], axis=1)
    np.testing.assert_allclose(told(1), true, atol=1e-9)
    assert ((true > 0) & (true < 11)).any()
    rounded = told(11)
    np.testing.assert_allclose(rounded, 11 * np.round(true / 11), atol=1e-9)


def test_a_rounded_class_does_not_vanish() -> None:
    findings, labels = csr_array(np.eye(30)), (np.arange(30) < 2).astype(np.int8)
    model = fit(settings(rounded_to=11), Examples(findings, labels), np.ones(30), 3)
    probability = model.predict_proba(findings)
    assert (probability[:, :2] > 0).all()
    assert (probability[:, 2] == 0).all()


def test_it_leaves_when_its_counts_are_rounded() -> None:
    train = Examples(csr_array(np.eye(4)), np.array([0, 1, 1, 0], np.int8))
    exact, coarse = (fit(settings(rounded_to=n), train, np.ones(4), 2) for n in (1, 11))
    assert leaves(Stack((exact, coarse), (1, 1)), 11) == ""
    assert "rounded_to: 11" in leaves(Stack((exact, coarse), (1, 0)), 11)
    assert "rounded_to: 20" in leaves(Stack((coarse,), (0,)), 20)
