"""Naive Bayes against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.naive_bayes import BernoulliNB

from concept_transfer.learners.naive_bayes import NaiveBayes, fit
from concept_transfer.training.one_by_one import Sample


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("smoothing", [0.01, 1.0])
def test_probabilities_are_those_of_scikit_learn(classes: int, smoothing: float) -> None:
    rng = np.random.default_rng(classes)
    findings = (rng.random((300, 12)) < 0.3).astype(float)
    labels = rng.integers(classes, size=300).astype(np.int8)
    weights = rng.uniform(0.2, 2, size=300)
    settings = NaiveBayes(kind="naive_bayes", smoothing=smoothing)
    model = fit(settings, Sample(csr_matrix(findings), labels, weights, classes))
    reference = BernoulliNB(alpha=smoothing).fit(findings, labels, sample_weight=weights)
    seen = (rng.random((50, 12)) < 0.3).astype(float)
    found = model.predict_proba(csr_matrix(seen))
    np.testing.assert_allclose(found, reference.predict_proba(seen), atol=1e-12)


def test_a_class_without_encounters_has_no_probability() -> None:
    findings = csr_matrix(np.eye(4))
    labels = np.array([0, 1, 1, 0], np.int8)
    settings = NaiveBayes(kind="naive_bayes")
    model = fit(settings, Sample(findings, labels, np.ones(4), 3))
    assert (model.predict_proba(findings)[:, 2] == 0).all()
