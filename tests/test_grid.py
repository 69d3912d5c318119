"""The grid of a study: which jobs may stand for others."""

from __future__ import annotations

from typing import Any

import pytest
from workflow_runs import tiny_study

from concept_transfer.grid import Grid
from concept_transfer.study import load_study


def grid(**changes: Any) -> Grid:
    return Grid(load_study({**tiny_study(), **changes}))


def test_local_on_all_labels_is_the_site_s_own_source_model() -> None:
    assert grid().is_own_source("cnn", "north", "local")


@pytest.mark.parametrize(
    "changes",
    [
        {"split": {"by": "folds", "folds": 3}},  # its source model has seen the test folds
        {"strategies": {"local": {"learning_rate": 0.5}, "direct": None}},
        {"strategies": {"local": {"epochs": 7}, "direct": None}},
        {"strategies": ["local", "pooled"]},  # nobody trains a source model
        {"pairs": [["south", "north"]]},  # north is no source
    ],
)
def test_local_is_trained_where_the_source_model_would_differ_or_is_none(
    changes: dict[str, Any],
) -> None:
    assert not grid(**changes).is_own_source("cnn", "north", "local")


def test_a_baseline_that_no_strategy_uses_has_no_metrics() -> None:
    """A baseline cannot be tuned: it has no cell, and nothing to be evaluated."""
    tuned = grid(strategies=["full"])
    assert tuned.embeddings_of_metrics() == ["one_hot", "random", "shuffled"]
    assert grid().embeddings_of_metrics() == ["one_hot", "random", "shuffled", "none"]
    for each in (tuned, grid()):
        assert all(
            each.cells_of(target, embedding)
            for target in each.targets
            for embedding in each.embeddings_of_metrics()
        )


def test_only_local_is_a_site_s_own_model() -> None:
    for strategy in ("direct", "linear", "full", "pooled"):
        assert not grid().is_own_source("cnn", "north", strategy)
