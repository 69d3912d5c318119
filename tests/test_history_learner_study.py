"""A study in which an encoder, its controls and logistic regression meet, through Snakemake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from in_process import run_study
from synthea_meds import write_meds
from test_meds import ROWS
from test_meds_study import some_events

from concept_transfer.concepts.vocabulary import Vocabulary

SITES = ("east", "west")
COHORT = {"index": ["VISIT//*"], "outcome": ["DX//J10"], "horizon_days": 30}
TINY: dict[str, Any] = {"sites": ["east"], "width": 8, "heads": 2, "layers": 1}
TINY |= {"feed_forward": 8, "epochs": 6, "max_length": 32, "min_count": 2}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("histories")
    for seed, name in enumerate(SITES):
        write_meds(folder / name, some_events(seed)[0])
    words = Vocabulary(*map(tuple, zip(*(row for row in ROWS if not row[5]), strict=True)))
    words.write(folder / "vocabulary.tsv")
    config = {
        "study": "tiny",
        "vocabulary": str(folder / "vocabulary.tsv"),
        "task": {"label": "flu", "outcome_codes": ["DX//J10"]},
        "sites": {
            name: {"adapter": "meds", "path": str(folder / name), "cohort": COHORT}
            for name in SITES
        },
        "split": {"by": "share"},
        "pairs": [["east", "west"]],
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "encoders": {
            "codes": {**TINY, "copies": 2},
            "untrained": {**TINY, "pretrain": False, "copies": 2},
        },
        "classifiers": {
            "mask": {"kind": "history", "head": "next_visit_mask", "epochs": 1},
            "pooled": {"kind": "history", "epochs": 0},
            "logistic": {"kind": "logistic"},
        },
        "strategies": ["zero", "local", "direct", "linear", "full", "low_rank", "auto"],
        "target_sizes": [60, "all"],
        "replicates": 2,
        "claims": [
            {
                "text": "A mask beats a vector.",
                "tests": [
                    {
                        "under": "here",
                        "better": {"embedding": "codes", "strategy": "zero", "classifier": "mask"},
                        "than": {"embedding": "codes", "strategy": "local", "classifier": "pooled"},
                    }
                ],
            }
        ],
        "evaluation": {"draws": 100, "small_cells": 2, "min_positives": 5},
    }
    return run_study(folder, config)


def cells(results: Path, embedding: str) -> pd.DataFrame:
    estimates = pd.read_parquet(results / f"metrics/west/{embedding}/estimates.parquet")
    return estimates[estimates["metric"] == "auroc"]


def test_every_strategy_has_cells_and_zero_has_no_source_and_no_size(results: Path) -> None:
    found = cells(results, "codes")
    zero = found[found["strategy"] == "zero"]
    assert zero[["source", "classifier", "size"]].to_numpy().tolist() == [["", "mask", "0"]]
    assert set(found["strategy"]) == {"zero", "local", "direct", "linear", "full", "low_rank"}
    assert found["estimate"].notna().all()


def test_controls_are_no_candidates(results: Path) -> None:
    combined = next((results / "predictions").glob("east-to-west/none/all_models/auto/all/*"))
    records = json.loads(pq.read_schema(combined).metadata[b"replicates"])
    shares = {path for record in records for path in record["shares"]}
    offered = {path.split("/")[1] for path in shares}
    assert offered
    assert offered <= {"codes", "none"}


def test_only_the_encoder_that_is_meant_is_kept(results: Path) -> None:
    kept = {path.parts[-6] for path in (results / "models").rglob("card.json")}
    assert kept == {"codes", "none"}
    card = next((results / "models").glob("*/codes/mask/full/all/block0/encoder.json"))
    assert "DX//R50" in card.read_text()


def test_the_report_tells_of_encoders(results: Path) -> None:
    methods = (results / "methods.md").read_text()
    assert "codes (a transformer of 1 layer of width 8" in methods
    assert "Controls: untrained." in methods
    comparisons = pd.read_parquet(results / "comparisons.parquet")
    assert {"encoder controls", "tuning"} <= set(comparisons["family"])
    page = (results / "report.html").read_text()
    assert "A mask beats a vector" in page


def test_replicates_have_the_copies_in_turn(results: Path) -> None:
    file = results / "predictions/west/codes/mask/zero/0/block0.parquet"
    predictions = pd.read_parquet(file).pivot_table(
        index="encounter", columns="replicate", values="probability", observed=True
    )
    assert not np.array_equal(predictions[0], predictions[1])
