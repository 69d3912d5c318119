"""A study of four classes, from simulated sites to its report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_process import run_study
from sklearn.metrics import roc_auc_score
from workflow_runs import tiny_study

from concept_transfer.evaluation.metrics import OF_ALL

DISEASES = ["influenza", "rsv", "parainfluenza", "metapneumovirus"]
CELL = ["source", "target", "embedding", "classifier", "strategy", "size"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = {
        **tiny_study(),
        "task": {"label": "infection", "classes": DISEASES, "exclude_categories": ["impression"]},
        "pairs": [["north", "south"]],
        "classifiers": ["cnn", "logistic", "naive_bayes"],
        "strategies": ["local", "direct", "full", "l2_sp", "pooled"],
        "target_sizes": ["all"],
        "training": {"epochs": 1, "fixed_epochs": 1, "filters": 5},
        "evaluation": {"draws": 100, "small_cells": 5, "min_positives": 5},
    }
    return run_study(tmp_path_factory.mktemp("classes"), config)


def test_estimates_follow_from_the_predictions(results: Path) -> None:
    estimates = pd.read_parquet(results / "metrics/south/none/estimates.parquet")
    assert list(estimates["class"].unique()) == ["", *DISEASES]
    assert set(estimates.loc[estimates["class"] == "", "metric"]) == set(OF_ALL)
    file = results / "predictions/north-to-south/none/logistic/pooled/all/block0.parquet"
    rows = pd.read_parquet(file)
    rows = rows[rows["partition"] == "test"]
    areas = [
        roc_auc_score(own["label"] == k, own[f"probability_{k}"])
        for _, own in rows.groupby("replicate")
        for k in range(4)
    ]
    chosen = dict(zip(CELL, ("north", "south", "none", "logistic", "pooled", "all"), strict=True))
    cell = estimates.loc[(estimates[CELL] == pd.Series(chosen)).all(axis=1)]
    whole = cell[(cell["class"] == "") & (cell["metric"] == "auroc")].iloc[0]
    assert whole["estimate"] == pytest.approx(np.mean(areas))


def test_shuffles_and_comparisons_are_of_macro_auroc(results: Path) -> None:
    comparisons = pd.read_parquet(results / "comparisons.parquet")
    assert set(comparisons["metric"]) == set(OF_ALL)
    assert comparisons["difference"].notna().all()
    shuffles = pd.concat(map(pd.read_parquet, results.glob("shuffles/**/*.parquet")))
    assert len(shuffles)
    assert shuffles["auroc"].between(0, 1).all()


def test_the_report_names_every_class(results: Path) -> None:
    page = (results / "report.html").read_text(encoding="utf-8")
    assert f"Outcome: infection ({', '.join(DISEASES)})" in page
    assert "Macro AUROC" in page
    assert "Performance by class" in page
    classes = pd.read_csv(results / "tables/classes.csv")
    assert set(classes["class"]) == set(DISEASES)
    assert classes["auroc"].notna().any()
    sites = pd.read_csv(results / "tables/sites.csv")
    assert [f"with_{name}" in sites for name in DISEASES] == [True] * 4
    assert list((results / "figures").glob("calibration-slope_*.svg"))
