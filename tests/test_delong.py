"""DeLong's variance and test against their definition, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from concept_transfer.evaluation.delong import placements, variance
from concept_transfer.evaluation.intervals import KNOWN, tail


def brute_force(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Difference, variance and p, kernel by kernel as in DeLong et al. (1988), equations 5-8."""

    def kernel(scores: np.ndarray) -> np.ndarray:
        x, y = scores[labels == 1], scores[labels == 0]
        return np.array([[float(i > j) + 0.5 * float(i == j) for j in y] for i in x])

    both = [kernel(a), kernel(b)]
    area = [k.mean() for k in both]
    m, n = both[0].shape
    rows = np.array([k.mean(axis=1) for k in both])
    columns = np.array([k.mean(axis=0) for k in both])
    covariance = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            covariance[i, j] = (
                sum((rows[i] - area[i]) * (rows[j] - area[j])) / (m - 1) / m
                + sum((columns[i] - area[i]) * (columns[j] - area[j])) / (n - 1) / n
            )
    spread = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    difference = area[0] - area[1]
    p = 2 * norm.sf(abs(difference) / np.sqrt(spread)) if spread > 1e-15 else float("nan")
    return difference, spread, p


def p_value(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p of the difference, as `effects` computes it with one replicate."""
    paired = placements(labels, a) - placements(labels, b)
    error = variance(labels, paired) ** 0.5
    return 2 * tail(abs(float(paired[labels == 1].mean())), error, KNOWN)


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 40), st.integers(0, 10_000), st.sampled_from([3, 1000]))
def test_delong_equals_its_definition(n: int, seed: int, distinct: int) -> None:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.4).astype(np.int8)
    assume(2 <= labels.sum() <= n - 2)
    a, b = rng.integers(0, distinct, (2, n)) / distinct
    difference, spread, p = brute_force(labels, a, b)
    paired = placements(labels, a) - placements(labels, b)
    assert paired[labels == 1].mean() == pytest.approx(difference, abs=1e-12)
    assert variance(labels, paired) == pytest.approx(spread, abs=1e-12)
    if not np.isnan(p):
        assert p_value(labels, a, b) == pytest.approx(p, abs=1e-9)


def test_placements_average_to_the_auroc_in_both_classes() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(500) < 0.2).astype(np.int8)
    scores = np.round(rng.normal(labels), 1)
    placement = placements(labels, scores)
    area = roc_auc_score(labels, scores)
    assert placement[labels == 1].mean() == pytest.approx(area)
    assert placement[labels == 0].mean() == pytest.approx(area)


def test_variance_needs_two_encounters_of_each_class() -> None:
    labels = np.array([1, 0, 0, 0])
    assert np.isnan(variance(labels, placements(labels, np.arange(4.0))))


def test_coverage_and_type_one_error() -> None:
    """AUROC of one score, and the test of two equally good ones, within Monte-Carlo error."""
    rng = np.random.default_rng(1)
    studies, n = 1500, 200
    truth = norm.cdf(1 / np.sqrt(2))
    covered = rejected = 0
    for _ in range(studies):
        labels = (rng.random(n) < 0.3).astype(np.int8)
        shared = rng.normal(labels)
        a, b = shared + 0.7 * rng.normal(size=(2, n))
        placement = placements(labels, shared)
        error = variance(labels, placement) ** 0.5
        covered += abs(placement[labels == 1].mean() - truth) < norm.ppf(0.975) * error
        rejected += p_value(labels, a, b) < 0.05
    tolerance = 3 * np.sqrt(0.05 * 0.95 / studies)
    assert covered / studies == pytest.approx(0.95, abs=tolerance)
    assert rejected / studies == pytest.approx(0.05, abs=tolerance)
