"""What methods find of the links that the simulated patients were made with, from raw files on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from in_process import run_study

METHODS = {
    "odds_ratio": None,
    "fisher": None,
    "phi": None,
    "shrunken": None,
    "adjusted": {"kind": "shrunken", "by": ["age", "sex"]},
    "order": None,
    "marginals": None,
}


def a_study(repository: Path) -> dict[str, Any]:
    """The study of the simulation, without what reads texts or is trained."""
    config = yaml.safe_load((repository / "config/interconnections.yaml").read_text())
    for site in config["sites"].values():
        site["model"] = str(repository / site["model"])
    config["interconnections"] |= {"methods": METHODS, "draws": 20, "permutations": 19}
    config["interconnections"]["codes"]["ontology"] = str(
        repository / "resources/ontologies/icd10cm.tsv"
    )
    kept = ("study", "task", "sites", "split", "pairs", "interconnections")
    return {
        **{name: config[name] for name in kept},
        "vocabulary": str(repository / config["vocabulary"]),
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["logistic"],
    }


@pytest.fixture(scope="module")
def told(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Method and truth -> mean over halves and sites: precision, recall, direction."""
    results = run_study(tmp_path_factory.mktemp("planted"), a_study(repository), "interconnections")
    rows = pd.read_parquet(results / "interconnections/performance.parquet")
    rows = rows[rows["stratum"] == "all"]
    return rows.pivot_table("value", ["truth", "method"], "measure")


def test_links_are_recalled_and_frequencies_know_none(told: pd.DataFrame) -> None:
    recall = told.loc["planted", "recall"]
    for name, least in {
        "odds_ratio": 0.36,
        "phi": 0.34,
        "fisher": 0.33,
        "shrunken": 0.27,
        "adjusted": 0.23,
    }.items():
        assert recall[name] > least, recall
    assert recall["marginals"] < 0.08


def test_strong_adjusted_odds_ratios_are_foretold(told: pd.DataFrame) -> None:
    """The second truth, which is no method's own test."""
    precision = told.loc["strong", "precision"]
    assert precision["odds_ratio"] > 0.78
    assert precision[["fisher", "phi"]].min() > 0.7
    assert precision[["shrunken", "adjusted"]].min() > 0.6
    assert precision["marginals"] < 0.08


def test_causes_are_put_first(told: pd.DataFrame) -> None:
    assert told.loc[("planted", "order"), "direction"] > 0.72
