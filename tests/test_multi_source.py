"""Several sites to one target: a study of three sites, and the weights of their models."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from in_process import run_study
from scipy.optimize import minimize
from scipy.special import log_softmax
from test_combining import BLOCK, candidate, cohort, examples
from workflow_runs import tiny_study

from concept_transfer.cell import ALL_SITES, Cell
from concept_transfer.cohorts.cross_fitting import grouped_folds
from concept_transfer.combining.combined import combined_cell
from concept_transfer.combining.pool import Labelled
from concept_transfer.combining.stacking import PRECISIONS
from concept_transfer.combining.weights import bootstrapped_weights, log_scores, recalibrated
from concept_transfer.errors import StudyError
from concept_transfer.grid import Grid
from concept_transfer.models.score_regression import INTERCEPT
from concept_transfer.strategies.multi_source import STRATEGY, MultiSource, combine
from concept_transfer.study import load_study

SITES = ("north", "south", "west")


def three_sites(**changes: Any) -> dict[str, Any]:
    config = tiny_study()
    sites = config["sites"] | {"west": {**config["sites"]["north"], "seed": 7}}
    return {
        **config,
        "sites": sites,
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["logistic", "naive_bayes"],
        "strategies": ["local", "direct", "label_shift", "auto", "multi_source"],
        **changes,
    }


SETTINGS = three_sites()["sites"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_study(tmp_path_factory.mktemp("three"), three_sites())


def test_its_models_are_all_that_use_no_label_of_the_target() -> None:
    found = Grid(load_study(three_sites())).combined_cells
    gathered = {cell: of for cell, of in found.items() if cell.strategy == "multi_source"}
    assert {(cell.source, cell.target) for cell in gathered} == {(ALL_SITES, s) for s in SITES}
    assert {cell.size for cell in gathered} == {"0", "60", "all"}
    made = gathered[Cell(ALL_SITES, "south", "none", "all_models", "multi_source", "60")]
    expected = {
        f"{source}-to-south/none/{learner}/{strategy}/0"
        for source in ("north", "west")
        for learner in ("logistic", "naive_bayes")
        for strategy in ("direct", "label_shift")
    }
    assert {cell.path for cell in made} == expected
    assert all(cell.source != ALL_SITES for cell in found if cell.strategy == "auto")


def test_a_target_with_one_source_has_none() -> None:
    pairs = [["north", "south"], ["west", "south"], ["south", "north"]]
    found = Grid(load_study(three_sites(pairs=pairs))).combined_cells
    assert {c.target for c in found if c.strategy == "multi_source"} == {"south"}
    for wrong, words in (
        ({"pairs": [["north", "south"]]}, "strategies.multi_source combines the models of several"),
        ({"strategies": ["local", "multi_source"]}, "add 'direct'"),
        ({"sites": {**SETTINGS, ALL_SITES: SETTINGS["north"]}}, f"'{ALL_SITES}' is reserved"),
    ):
        with pytest.raises(StudyError, match=words):
            load_study(three_sites(**wrong))


def test_predictions_are_pools_of_the_sources_models(results: Path) -> None:
    """The file's shares name models of both sources, and its risks follow their order."""
    folder = results / f"predictions/{ALL_SITES}-to-south/none/all_models/multi_source"
    file = folder / "all/block0.parquet"
    records = json.loads(pq.read_schema(file).metadata[b"replicates"])
    assert all(record["chosen"] for record in records)
    named = {path.split("-to-")[0] for record in records for path in record["shares"]}
    assert named <= {"north", "west"}
    assert records[0]["train"] > 0
    without = json.loads(pq.read_schema(folder / "0/block0.parquet").metadata[b"replicates"])
    assert {path.split("-to-")[0] for path in without[0]["shares"]} == {"north", "west"}
    shares = pd.read_parquet(results / f"combinations/{ALL_SITES}-to-south/block0.parquet")
    assert set(shares["source"]) == {ALL_SITES}


def test_every_part_of_the_report_knows_all_sites(results: Path) -> None:
    estimates = pd.concat(
        pd.read_parquet(results / f"metrics/{site}/none/estimates.parquet") for site in SITES
    )
    gathered = estimates[estimates["source"] == ALL_SITES]
    assert set(gathered["strategy"]) == {"multi_source"}
    assert gathered.loc[gathered["metric"] == "auroc", "estimate"].between(0.4, 1).all()
    comparisons = pd.read_parquet(results / "comparisons.parquet")
    of_all = comparisons[comparisons["source"] == ALL_SITES]
    assert set(of_all["family"]) == {"best target-only model"}
    answers = {
        each["name"]: each["rows"] for each in json.loads((results / "answers.json").read_text())
    }
    advised = [row for row in answers["advice"] if row["source"] == ALL_SITES]
    assert {row["strategy"] for row in advised} == {"multi_source"}
    assert {row["target"] for row in advised} == set(SITES)
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "all sites → south" in page
    shown = re.sub(r"<[^>]*>", "", page)  # identifiers of figures have its name
    assert ALL_SITES not in shown
    table = pd.read_csv(results / "tables/combinations.csv")
    made_of = table.loc[table["source"] == ALL_SITES, "models"]
    assert made_of.str.contains("north: |south: |west: ").all()
    for file in (*results.glob("tables/site*.csv"), *results.glob("tables/*shift*.csv")):
        assert ALL_SITES not in file.read_text(encoding="utf-8")


def plainly(labelled: Labelled, centre: np.ndarray, precision: float) -> np.ndarray:
    """Probabilities-by-formula: coefficients [C] of recalibrated scores, by a general optimizer."""
    scores, n = labelled.scores, len(labelled.labels)
    classes = scores.shape[2]

    def loss(x: np.ndarray) -> float:
        combined = x[:classes] + np.tensordot(x[classes:], scores, 1)
        likelihood = log_softmax(combined, axis=1)[np.arange(n), labelled.labels].sum()
        pull = (
            INTERCEPT * (x[:classes] ** 2).sum() + precision * ((x[classes:] - centre) ** 2).sum()
        )
        return float(pull / 2 - likelihood)

    bounds = [(None, None)] * classes + [(0, None)] * len(centre)
    start = np.concatenate([np.zeros(classes), centre])
    return np.asarray(minimize(loss, start, bounds=bounds, method="L-BFGS-B", tol=1e-12).x)


@pytest.mark.parametrize("classes", [2, 3])
def test_weights_are_those_of_plain_ridge_stacking(classes: int) -> None:
    labels, scores = examples(150, (0.5, 2.0, 4.0), classes)
    known = Labelled(scores, labels, np.arange(150))
    pool = combine(MultiSource(kind="multi_source"), known, np.random.default_rng(7))
    slopes, intercepts = recalibrated(known)
    moved = slopes[:, None, None] * scores + intercepts[:, None]
    said = log_scores(moved, labels)
    centre = bootstrapped_weights(said, known.clusters, np.random.default_rng(7))
    changed = Labelled(moved, labels, known.clusters)
    folds = grouped_folds(known.clusters, labels)
    reached = []
    for precision in PRECISIONS:
        total = 0.0
        for fold in set(folds):
            x = plainly(changed.among(folds != fold), centre, precision)
            held = x[:classes] + np.tensordot(x[classes:], moved[:, folds == fold], 1)
            rows = np.arange(len(held))
            total += log_softmax(held, axis=1)[rows, labels[folds == fold]].sum()
        reached.append(total)
    x = plainly(changed, centre, PRECISIONS[int(np.argmax(reached))])
    expected = log_softmax(x[:classes] + np.tensordot(x[classes:], moved, 1), axis=1)
    np.testing.assert_allclose(pool.probability(scores), np.exp(expected), atol=2e-3)


def of_sources(tmp_path: Path, noises: tuple[float, float]) -> tuple[Any, list[Any], np.ndarray]:
    """A target, and a model of each of two sources; what is said of them at their own."""
    labels, scores = examples(900, noises)
    target = cohort(labels)
    cells = [Cell(name, "here", "none", "a", "direct", "0") for name in ("near", "far")]
    candidates = [
        candidate(target, tmp_path, cell, np.exp(each), area)
        for cell, each, area in zip(cells, scores, (0.7, 0.95), strict=True)
    ]
    return target, candidates, scores


def test_labels_tell_which_source_is_near(tmp_path: Path) -> None:
    target, candidates, _ = of_sources(tmp_path, (0.3, 4.0))
    fit = STRATEGY.combine
    assert fit is not None
    made = combined_cell(candidates, lambda *each: fit(None, *each), target, "60", BLOCK, 2)
    for record in made.records:
        assert record["shares"]["near-to-here/none/a/direct/0"] > 0.7


def test_without_labels_each_source_has_its_share(tmp_path: Path) -> None:
    """How well a model does at its own source says nothing against another source's."""
    target, candidates, scores = of_sources(tmp_path, (1.0, 1.0))
    made = combined_cell(candidates, combine, target, "0", BLOCK, 2)
    assert set(made.records[0]["shares"].values()) == {0.5}
    rows = target.split.parts(0)[2]
    (own,) = (p for replicate, _, name, _, p in made._parts if (replicate, name) == (0, "test"))
    mean = log_softmax(scores[:, rows].mean(axis=0), axis=1)
    np.testing.assert_allclose(own, np.exp(mean[:, 1]), atol=1e-5)
