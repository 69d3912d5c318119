"""Trees with leaves of many encounters, counted by walking down with each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from concept_transfer.learners import LEARNERS
from concept_transfer.models.baselines import Examples
from concept_transfer.models.boosting import HISTOGRAM_FROM, fit_boosting
from concept_transfer.models.forest import fit_forest
from concept_transfer.models.trees import LEAF, Trees
from concept_transfer.training.one_by_one import Stack

FITS = {"gradient_boosting": fit_boosting, "extra_trees": fit_forest}


def examples(count: int) -> Examples:
    rng = np.random.default_rng(count)
    findings = (rng.random((count, 12)) < 0.3).astype(float)
    labels = (rng.random(count) < 0.2 + 0.4 * findings[:, 0]).astype(np.int8)
    return Examples(csr_array(findings), labels)


def fewest_in_a_leaf(trees: Trees, findings: np.ndarray) -> int:
    """The training encounters of the smallest leaf of all trees."""
    fewest = len(findings)
    for root in trees.roots.ravel():
        waiting = [(root, np.arange(len(findings)))]
        while waiting:
            node, rows = waiting.pop()
            if trees.left[node] == LEAF:
                fewest = min(fewest, len(rows))
                continue
            held = findings[rows, trees.token[node]] > 0
            waiting += [(trees.left[node], rows[~held]), (trees.right[node], rows[held])]
    return fewest


@pytest.mark.parametrize("learner", FITS)
@pytest.mark.parametrize("count", [300, HISTOGRAM_FROM])
def test_no_leaf_is_smaller_than_asked(learner: str, count: int) -> None:
    train = examples(count)
    findings = train.findings.toarray()
    for least in (1, 11, 40):
        model: Any = FITS[learner](train, np.ones(count), 2, min_leaf=least)[-1]
        fewest = fewest_in_a_leaf(model.trees, findings)
        assert fewest >= int(model.fewest) >= least
        again = type(model).from_arrays(model.arrays())
        said = LEARNERS[learner].leaves(Stack((again,), (0,)), 11)
        assert ("min_leaf: 11" in said) == (int(model.fewest) < 11)
        if learner == "extra_trees" and least == 1:
            assert fewest < 11
