"""Naive Bayes against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.naive_bayes import BernoulliNB

from concept_transfer.learners.naive_bayes import fit
from concept_transfer.models.baselines import Examples


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("smoothing", [0.01, 1.0])
def test_probabilities_are_those_of_scikit_learn(classes: int, smoothing: float) -> None:
    rng = np.random.default_rng(classes)
    findings = (rng.random((300, 12)) < 0.3).astype(float)
    labels = rng.integers(classes, size=300).astype(np.int8)
    weights = rng.uniform(0.2, 2, size=300)
    model = fit(smoothing, Examples(csr_array(findings), labels), weights, classes)
    reference = BernoulliNB(alpha=smoothing).fit(findings, labels, sample_weight=weights)
    seen = (rng.random((50, 12)) < 0.3).astype(float)
    found = model.predict_proba(csr_array(seen))
    np.testing.assert_allclose(found, reference.predict_proba(seen), atol=1e-12)


def test_a_class_without_encounters_has_no_probability() -> None:
    findings = csr_array(np.eye(4))
    labels = np.array([0, 1, 1, 0], np.int8)
    model = fit(1.0, Examples(findings, labels), np.ones(4), 3)
    assert (model.predict_proba(findings)[:, 2] == 0).all()
