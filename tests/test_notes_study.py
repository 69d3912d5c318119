"""A study of findings read from notes, to its report, which tells no word of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_process import run_study
from sklearn.metrics import roc_auc_score
from workflow_runs import tiny_study

from concept_transfer.sites.extract import MENTIONS

REPOSITORY = Path(__file__).resolve().parents[1]
WORD = "Quetzalcoatl"
COUNT = 260


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    style = (REPOSITORY / "resources/notes/north.yaml").read_text(encoding="utf-8")
    planted = f'  filler:\n    - "{WORD} called."\n'
    (folder / "style.yaml").write_text(style.replace("  filler:\n", planted), encoding="utf-8")
    sites = {}
    for number, county in enumerate(("north", "south")):
        network = f"{REPOSITORY}/resources/networks/{county}.yaml"
        drawn = {"network": network, "encounters": COUNT, "seed": number}
        sites[county] = {"adapter": "simulated", **drawn}
        sites[f"{county}_notes"] = {
            "adapter": "simulated_notes",
            **drawn,
            "style": "style.yaml",
            "extraction": {"synonyms": "resources/notes/synonyms.tsv"},
            "gold": county,
        }
    config = {
        **tiny_study(),
        "sites": sites,
        "pairs": [["north", "south"], ["north_notes", "south_notes"]],
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["naive_bayes"],
        "strategies": ["local", "direct"],
        "target_sizes": [60, "all"],
        "replicates": 5,
        "evaluation": {"draws": 100, "small_cells": 5, "min_positives": 5},
    }
    return run_study(folder, config)


def test_no_word_of_a_note_is_in_what_the_study_writes(results: Path) -> None:
    own = {results / "encounters" / f"{county}_notes" / MENTIONS for county in ("north", "south")}
    for file in results.rglob("*"):
        if file.is_file() and file not in own:
            assert WORD.casefold().encode() not in file.read_bytes().lower(), file


def test_accuracy_is_that_of_the_findings(results: Path) -> None:
    accuracy = pd.read_parquet(results / "analysis/extraction.parquet")
    vocabulary = pd.read_csv(REPOSITORY / "resources/concepts/influenza.tsv", sep="\t", comment="#")
    pairs = {}
    for site in ("south", "south_notes"):
        findings = pd.read_parquet(results / "encounters" / site / "findings.parquet")
        findings = findings[~findings["concept"].isin(["agegroup", "season"])]
        pairs[site] = set(findings.itertuples(index=False, name=None))
    right = len(pairs["south"] & pairs["south_notes"])
    (row,) = accuracy[
        (accuracy["site"] == "south_notes") & (accuracy["concept"] == "")
    ].itertuples()
    assert row.precision == pytest.approx(right / len(pairs["south_notes"]))
    assert row.recall == pytest.approx(right / len(pairs["south"]))
    assert 0.7 < row.recall < row.precision < 1
    assert set(accuracy["concept"]) <= {"", *vocabulary["concept"]} - {"agegroup", "season"}


def test_costs_follow_from_the_predictions(results: Path) -> None:
    cost = pd.read_parquet(results / "analysis/extraction_cost.parquet")
    assert set(cost["target"]) == {"south_notes"}
    assert set(cost["gold_target"]) == {"south"}
    (row,) = cost[cost["strategy"] == "direct"].itertuples()
    areas = []
    for pair in ("north_notes-to-south_notes", "north-to-south"):
        file = results / f"predictions/{pair}/none/naive_bayes/direct/0/block0.parquet"
        rows = pd.read_parquet(file)
        rows = rows[rows["partition"] == "test"]
        each = [roc_auc_score(r["label"], r["probability"]) for _, r in rows.groupby("replicate")]
        areas.append(np.mean(each))
    assert (row.estimate, row.gold_estimate) == pytest.approx(tuple(areas))
    assert row.difference == pytest.approx(areas[0] - areas[1])


def test_both_sites_draw_the_same_labels(results: Path) -> None:
    """Of sixty labels each replicate has those of the same encounters: what is held out of them is
    the same, whatever is known of them."""
    drawn = []
    for site in ("south_notes", "south"):
        rows = pd.read_parquet(
            results / f"predictions/{site}/none/naive_bayes/local/60/block0.parquet"
        )
        held = rows[rows["partition"] != "test"]
        drawn.append({r: set(each["encounter"]) for r, each in held.groupby("replicate")})
    assert drawn[0] == drawn[1]
    assert len(set(map(frozenset, drawn[0].values()))) > 1


def test_the_report_says_what_reading_costs(results: Path) -> None:
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "What does it cost to read findings from notes?" in page
    assert "How right findings read from notes are: north_notes: recall" in page
    assert "What reading findings from notes costs" in page
    assert {"extraction.csv", "extraction_cost.csv"} <= {
        file.name for file in (results / "tables").iterdir()
    }
    methods = (results / "methods.md").read_text(encoding="utf-8")
    assert "findings were read from notes" in methods
    assert "NegEx" in methods
    review = pd.read_csv(results / "mentions/north_notes.tsv", sep="\t")
    assert review["encounters"].min() >= 5
    assert list(review.columns[:3]) == ["concept", "synonym", "state"]
