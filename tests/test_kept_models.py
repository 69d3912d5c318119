"""Models that a study keeps: what they predict when they are read again, and who trained them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from encoder_data import encoders_for
from test_cells import BLOCK, SETTINGS, TOKENS, VECTORS, Site, folded_site, target_site
from test_permutations import a_vocabulary

from concept_transfer.cell import Cell
from concept_transfer.cohorts.budget import draw_from
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import read_bundle
from concept_transfer.settings.training import Training
from concept_transfer.training.jobs import Task, run_tasks
from concept_transfer.training.performance import macro_auroc
from concept_transfer.training.predictions import Predictions
from concept_transfer.training.setup import Material, Setup

VOCABULARY = a_vocabulary(TOKENS // 2)
TABLE = EmbeddingTable.create("words", "precomputed", np.asarray(VECTORS), VOCABULARY)


def setup_of(learner: str) -> Setup:
    table = TABLE if LEARNERS[learner].takes_embedding else None
    names = ("tiny", "influenza", ["no", "influenza"], {"kind": learner})
    return Setup(*names, BLOCK, VOCABULARY, table, "cpu", 1, encoder=encoders_for(learner))


def keep(site: Site, learner: str, folder: Path, size: str = "all") -> Task:
    """Run `local` and keep its models."""
    task = Task(
        Cell("", site.name, "words", learner, "local", size),
        {"kind": "local"},
        SETTINGS.model_dump(mode="json"),
        folder / "predictions.parquet",
        folder / "bundle",
        "origin",
    )
    run(task, learner, site)
    return task


def run(task: Task, learner: str, site: Site) -> None:
    setup = setup_of(learner)
    run_tasks([task], setup, setup.bench, Material(site), {})


def read_again(learner: str, folder: Path, site: Site, rows: np.ndarray) -> np.ndarray:
    bundle = read_bundle(folder / "bundle", VOCABULARY)
    family = setup_of(learner).bench.everyone()
    return family.predict(family.read(bundle.folder), site, rows)


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_a_kept_model_predicts_what_its_cell_predicted(learner: str, tmp_path: Path) -> None:
    import pandas as pd

    site = target_site(count=400)
    keep(site, learner, tmp_path)
    test = site.split.parts(0)[2]
    predictions = pd.read_parquet(tmp_path / "predictions.parquet")
    written = predictions[predictions["partition"] == "test"]["probability"].to_numpy()
    read = read_again(learner, tmp_path, site, test)[..., 1].astype(np.float32)
    np.testing.assert_allclose(read.ravel(), written, rtol=1e-5)


@pytest.mark.parametrize("learner", sorted(LEARNERS))
@pytest.mark.parametrize("size", ["60", "all"])
def test_under_cross_fitting_a_kept_model_is_refitted_on_all_labels(
    learner: str, size: str, tmp_path: Path
) -> None:
    site = folded_site()
    keep(site, learner, tmp_path, size)
    budget = draw_from(site.cohort, site.split.source_parts(), size, BLOCK.keys)
    card = read_bundle(tmp_path / "bundle", VOCABULARY).card
    every, small = len(site.split.source_parts()[0]), 48
    if LEARNERS[learner].cross_fits(Training.model_validate({})):
        budget, every, small = budget.joined, len(site.labels), 60
    assert {record["train"] for record in card.replicates} == {budget.train.shape[1]}
    assert budget.train.shape[1] == (every if size == "all" else small)
    assert read_again(learner, tmp_path, site, np.arange(5)).shape == (3, 5, 2)


def test_the_card_carries_the_cross_fitted_performance(tmp_path: Path) -> None:
    import pandas as pd

    site = folded_site()
    keep(site, "cnn", tmp_path)
    card = json.loads((tmp_path / "bundle" / "card.json").read_text())
    frame = pd.read_parquet(tmp_path / "predictions.parquet")
    areas = []
    for _, part in frame[frame["partition"] == "test"].groupby("replicate"):
        columns = (part[name].to_numpy() for name in ("label", "probability", "fold"))
        areas.append(macro_auroc(*columns))
    assert card["performance"]["auroc"] == pytest.approx(np.mean(areas))
    assert card["performance"]["tested"] == "cross-fitted in 3 folds"
    assert card["performance"]["encounters"] == 120


def test_what_is_current_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = target_site()
    task = keep(site, "naive_bayes", tmp_path)
    monkeypatch.setattr(Predictions, "write", None)
    run(task, "naive_bayes", site)
    (tmp_path / "bundle" / "card.json").unlink()
    with pytest.raises(TypeError):
        run(task, "naive_bayes", site)


def test_a_cell_without_models_says_so(tmp_path: Path) -> None:
    site = target_site(labels=np.zeros(120, np.int8))
    keep(site, "cnn", tmp_path)
    card = read_bundle(tmp_path / "bundle", VOCABULARY).card
    assert {record["status"] for record in card.replicates} == {"not estimable"}
    assert card.performance["auroc"] is None
