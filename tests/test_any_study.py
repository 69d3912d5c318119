"""Whatever a valid config asks for: it can be planned, and it ends in a report."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from in_process import planned, run_study
from random_studies import EMBEDDINGS, STRATEGIES, studies, write_vectors
from workflow_runs import tiny_study

from concept_transfer.comparison.schema import COMPARISONS
from concept_transfer.errors import StudyError
from concept_transfer.grid import Grid
from concept_transfer.study import load_study


def drawn(examples: int) -> settings:
    """Few examples, the same in every run: each starts or plans a whole study."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@given(studies())
@drawn(5)
def test_any_valid_study_is_planned_to_its_report(config: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        write_vectors(Path(folder))
        with planned(Path(folder), config) as jobs:
            files = {str(file) for job in jobs for file in job.output}
    assert "results/drawn/report.html" in files
    grid = Grid(load_study(config))
    assert {file for file in files if "/predictions/" in file} == {
        f"results/drawn/predictions/{cell.path}/block{block}.parquet"
        for cell in grid.cells
        for block in grid.blocks
    }


@given(studies())
@drawn(1)
def test_any_valid_study_ends_in_a_report(config: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        write_vectors(Path(folder))
        results = run_study(Path(folder), config)
        assert_complete(results, config)


def a_study(**changes: Any) -> dict[str, Any]:
    """A small study of one embedding and one classifier, with some keys replaced."""
    study = {
        **tiny_study(),
        "embeddings": {"one_hot": EMBEDDINGS["one_hot"]},
        "classifiers": ["cnn"],
        "target_sizes": [10],
        "replicates": 1,
        "training": {"epochs": 1, "fixed_epochs": 1, "filters": 5},
        **changes,
    }
    for site in study["sites"].values():
        site["encounters"] = 80
    return study


CORNERS = {
    "one embedding, unchanged source models": a_study(strategies=["direct"]),
    "own data only, a simple model": a_study(
        classifiers=["logistic"],
        strategies=["local"],
        target_sizes=[10, "all"],
        evaluation={"draws": 100, "small_cells": 0, "min_positives": 1},
    ),
    "tuning only, which simple models cannot follow": a_study(
        classifiers=["cnn", "logistic"],
        strategies={"gentle": STRATEGIES["gentle"]},
        pairs=[["north", "south"]],
    ),
}


@pytest.mark.parametrize("corner", CORNERS)
def test_a_study_with_nothing_to_compare_ends_in_a_report(tmp_path: Path, corner: str) -> None:
    config = CORNERS[corner]
    results = run_study(tmp_path, config)
    assert_complete(results, config)
    comparisons = pd.read_parquet(results / "comparisons.parquet")
    assert comparisons.empty
    assert list(comparisons.columns) == COMPARISONS.names
    assert list((results / "figures").glob("heatmap_*.svg"))


@pytest.mark.parametrize("split", [{"by": "share"}, {"by": "folds", "folds": 2}], ids=str)
def test_strategies_that_look_at_no_label_run_without_any(
    tmp_path: Path, split: dict[str, Any]
) -> None:
    looking = ["label_shift", "importance_weighted", "coral", "dann"]
    config = a_study(
        classifiers=["cnn", "logistic", "gradient_boosting"],
        strategies=["direct", *looking, "auto"],
        split=split,
        pairs=[["north", "south"]],
        evaluation={"draws": 100, "small_cells": 0, "min_positives": 1},
    )
    results = run_study(tmp_path, config)
    assert_complete(results, config)
    cells = Grid(load_study(config)).trained_cells
    assert {cell.size for cell in cells} == {"0"}
    able = {
        name: {c.strategy for c in cells if c.classifier == name} for name in config["classifiers"]
    }
    assert able["cnn"] == {"direct", *looking}
    assert able["logistic"] == able["cnn"] - {"dann"}
    assert able["gradient_boosting"] == able["logistic"] - {"coral"}
    methods = (results / "methods.md").read_text(encoding="utf-8")
    assert "coral and dann looked at the target's training and validation encounters" in methods
    comparisons = pd.read_parquet(results / "comparisons.parquet")
    met = comparisons[comparisons["family"] == "unlabelled encounters"]
    assert {side[0]["strategy"] for side in met["a"]} == set(looking)
    assert {side[0]["strategy"] for side in met["b"]} == {"direct"}


def assert_complete(results: Path, config: dict[str, Any]) -> None:
    """The page names every embedding and strategy with cells, and glances at every target."""
    page = (results / "report.html").read_text(encoding="utf-8")
    cells = Grid(load_study(config)).cells
    cited = {cell.strategy for cell in cells} | {cell.embedding for cell in cells} - {"none"}
    assert all(name in page for name in cited)
    glance = pd.read_csv(results / "tables" / "glance.csv")
    assert set(glance["target"]) == {cell.target for cell in cells}


def test_a_study_without_a_cell_is_refused() -> None:
    with pytest.raises(StudyError, match=r"strategies: full ask for what no classifier.*cnn"):
        load_study(a_study(classifiers=["logistic"], strategies=["full"]))
