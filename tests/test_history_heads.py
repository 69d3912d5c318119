"""Heads on fixed features against scikit-learn, and what labels may choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from concept_transfer.training.history_heads import AS_IT_CAME, Labelled, fit, fit_heads


def labelled(count: int = 200, width: int = 3, classes: int = 2, seed: int = 0) -> Labelled:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, width))
    scores = features @ rng.normal(size=(width, classes)) + rng.gumbel(size=(count, classes))
    labels = scores.argmax(axis=1).astype(np.int8)
    return Labelled(features, labels, rng.uniform(0.5, 2, count), classes, None)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_is_the_ridge_regression_of_another_library(classes: int) -> None:
    data = labelled(classes=classes)
    scaled = (data.features - data.features.mean(axis=0)) / data.features.std(axis=0)
    head = fit(data, 0.1)
    # of two classes scikit-learn penalises the difference, whose variance is twice as large
    other = LogisticRegression(C=0.2 if classes == 2 else 0.1, tol=1e-9, max_iter=10_000)
    other.fit(scaled, data.labels, data.weights)
    expected = other.predict_proba(scaled)
    np.testing.assert_allclose(head.predict_proba(data.features), expected, atol=2e-3)


def test_without_labels_to_speak_of_the_head_that_came_stays() -> None:
    came = fit(labelled(seed=1), 1.0)
    data = replace(labelled(), prior=came, weights=np.full(200, 1e-9))
    np.testing.assert_allclose(fit(data, 0.1).coefficients, came.coefficients, atol=1e-6)


def test_log_odds_keep_their_order() -> None:
    """Three labels that speak against it stretch and shift what ranks without any."""
    log_odds = np.array([[-6.0], [-5.0], [-4.0]])
    data = Labelled(log_odds, np.array([1, 0, 0], np.int8), np.ones(3), 2, AS_IT_CAME)
    said = fit_heads(data, np.array([0, 1, 2])).of_all.predict_proba(log_odds)[:, 1]
    assert (np.diff(said) > 0).all()
    assert said.mean() == pytest.approx(1 / 3, abs=0.02)


def test_a_fold_s_own_labels_do_not_matter_to_its_head() -> None:
    data, folds = labelled(), np.arange(200) % 4
    changed = replace(data, labels=np.where(folds == 2, 1 - data.labels, data.labels))
    before, after = fit_heads(data, folds), fit_heads(changed, folds)
    np.testing.assert_array_equal(before.of_folds[2].coefficients, after.of_folds[2].coefficients)
    assert not np.array_equal(before.of_folds[1].coefficients, after.of_folds[1].coefficients)
