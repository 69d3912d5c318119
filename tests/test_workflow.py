"""The workflow end to end on a tiny study: results, precise reruns, errors before any job."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from embedding_data import save_tiny_model
from modules_of_jobs import (
    NOT_OF_SIMULATED_SITES,
    notes,
    noting,
    of_house,
    planned_closures,
)
from workflow_runs import REPOSITORY, Study, tiny_study

from concept_transfer.cell import Cell
from concept_transfer.concepts.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A tiny study that has been run to its report."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copy(tiny_study()["vocabulary"], folder / "concepts.tsv")
    study = Study(folder, {**tiny_study(), "vocabulary": "concepts.tsv"})
    (folder / "modules").mkdir()
    with noting(folder / "modules"):
        run = study.run("--cores", "2")
    assert run.code == 0, run.output
    return study


@pytest.fixture
def copied(finished: Study, tmp_path: Path) -> Study:
    """The finished study in a folder that a test may damage."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Study(folder, finished.config)


def test_every_cell_has_predictions_and_estimates(finished: Study) -> None:
    results = finished.folder / "results" / "tiny"
    files = sorted((results / "predictions").rglob("block0.parquet"))
    # 3 embeddings x 2 directions x (2 local + 1 direct + 2 linear + 2 full + 2 pooled),
    # local counted once a target; logistic: local 2, direct 1, pooled 2 for both targets; all
    # models together: without labels, and at 2 sizes
    assert len(files) == 3 * 2 * 9 + 2 * 5 + 2 * 3
    for file in files:
        cell = Cell(**json.loads(pq.read_schema(file).metadata[b"cell"]))
        assert file.relative_to(results / "predictions") == Path(cell.path, "block0.parquet")
    estimates = pd.concat(pd.read_parquet(p) for p in results.rglob("estimates.parquet"))
    cells = estimates[["source", "target", "embedding", "classifier", "strategy", "size"]]
    assert len(cells.drop_duplicates()) == len(files)
    auroc = estimates[estimates.metric == "auroc"]
    assert (auroc.lower <= auroc.estimate).all()
    assert (auroc.estimate <= auroc.upper).all()


def test_predictions_hold_every_test_encounter_once_a_replicate(finished: Study) -> None:
    results = finished.folder / "results" / "tiny"
    split = pq.read_table(results / "splits" / "south.parquet").to_pandas()
    tested = set(split.encounter[split.fold == 0])
    for path in (results / "predictions" / "north-to-south").rglob("block0.parquet"):
        predictions = pq.read_table(path).to_pandas()
        for _, own in predictions[predictions.partition == "test"].groupby("replicate"):
            assert len(own) == len(tested)
            assert set(own.encounter) == tested


def test_report_stands_alone(finished: Study) -> None:
    results = finished.folder / "results" / "tiny"
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert 'src="http' not in page
    assert list((results / "figures").glob("*.svg"))
    assert list((results / "tables").glob("*.tex"))
    assert (results / "tables" / "combinations.csv").is_file()


def test_every_module_that_a_job_loads_is_in_its_digest(finished: Study, tmp_path: Path) -> None:
    scripts, closures = planned_closures(tmp_path, tiny_study())
    here = {file.stem for file in (REPOSITORY / "workflow" / "scripts").glob("*.py")}
    assert {*scripts.values(), *NOT_OF_SIMULATED_SITES} == here
    jobs = notes(finished.folder / "modules")
    assert {job["rule"] for job in jobs} == scripts.keys()
    for job in jobs:
        covered = set().union(*(closures[code] for code in job["codes"]))
        assert of_house(job["modules"]) <= covered, job["rule"]


def test_an_unchanged_study_plans_nothing(finished: Study) -> None:
    assert finished.plan() == {}


def changes(config: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, int]]]:
    """Change of the config -> (new top-level keys, jobs that must run again)."""
    shown = {"write_tables": 1, "draw_figures": 1, "write_page": 1}
    report = {"compare": 1, "shift_loss": 1, **shown}
    cells = {f"{job}_simple": 2 for job in ("train_local", "transfer")}
    cells |= {f"{job}_cnn": 2 for job in ("train_local", "transfer")}
    cells |= {f"{job}_cnn_unkept": 4 for job in ("train_local", "transfer")}
    cells["combine"] = 2
    everywhere = {"evaluate": 8, **report}
    sites = {"check_sites": 1, "site_shift": 1, "ceiling": 1}
    return {
        "title": ({"title": "Another title"}, shown),
        "order of keys": ({"task": dict(reversed(config["task"].items()))}, {}),
        "resources": ({"resources": {"gpu": 0, "threads": 1, "device": "cpu"}}, {}),
        "another embedding": (
            {
                "embeddings": {
                    **config["embeddings"],
                    "one_hot_15": {"provider": "one_hot", "scale": {"norm": 15}},
                }
            },
            {
                "embed": 1,
                "train_source_cnn": 2,
                "train_local_cnn": 2,
                "transfer_cnn": 2,
                "combine": 2,
                "evaluate": 4,
                "site_shift": 1,
                "embedding_geometry": 1,
                **report,
            },
        ),
        "one embedding fewer": (
            {"embeddings": {"one_hot": {"provider": "one_hot"}}},
            {"embedding_geometry": 1, **report},
        ),
        "learning rate of one strategy": (
            {
                "strategies": {
                    "local": None,
                    "direct": None,
                    "linear": {"learning_rate": 0.01},
                    "full": None,
                    "pooled": None,
                    "auto": None,
                }
            },
            {"transfer_cnn": 2, "transfer_cnn_unkept": 4, "combine": 2, "evaluate": 8, **report},
        ),
        "another target size": (
            {"target_sizes": [60, 80, "all"]},
            {
                "check_sites": 1,
                **cells,
                **everywhere,
            },
        ),
        "another block of replicates": (
            {"replicates": 4},
            {
                "train_source_cnn": 6,
                "train_source_simple": 2,
                **cells,
                **everywhere,
            },
        ),
        "bootstrap draws": ({"evaluation": {"draws": 200}}, {"site_shift": 1, **everywhere}),
        "suppression of small cells": (
            {"evaluation": {"draws": 100, "small_cells": 5}},
            {"check_sites": 1, **shown},
        ),
        "split": (
            {"split": {"by": "share", "test_share": 0.4}},
            {
                "split_site": 2,
                **sites,
                "train_source_cnn": 6,
                "train_source_simple": 2,
                "shuffle_concepts": 2,
                **cells,
                **everywhere,
            },
        ),
        "one site's sample": (
            {
                "sites": {
                    **config["sites"],
                    "north": {**config["sites"]["north"], "seed": 9},
                }
            },
            {
                "encode_site": 1,
                "split_site": 1,
                **sites,
                "train_source_cnn": 3,
                "train_source_simple": 1,
                "shuffle_concepts": 2,
                "train_local_cnn": 1,
                "train_local_cnn_unkept": 2,
                "transfer_cnn": 2,
                "transfer_cnn_unkept": 4,
                "train_local_simple": 1,
                "transfer_simple": 2,
                "combine": 2,
                **everywhere,
            },
        ),
    }


@pytest.mark.parametrize("change", changes(tiny_study()))
def test_a_change_reruns_what_depends_on_it(finished: Study, change: str) -> None:
    keys, expected = changes(finished.config)[change]
    assert finished.changed(**keys).plan() == expected


def test_another_target_size_keeps_the_cells_that_are_done(copied: Study) -> None:
    family = (
        copied.folder / "results" / "tiny" / "predictions" / "south" / "random" / "cnn" / "local"
    )
    before = {size: (family / size / "block0.parquet").read_bytes() for size in ("60", "all")}
    wanted = family / "80" / "block0.parquet"
    run = copied.changed(target_sizes=[60, 80, "all"]).run(
        str(wanted.relative_to(copied.folder)), "--cores", "1"
    )
    assert run.code == 0, run.output
    assert wanted.is_file()
    for size, content in before.items():
        assert (family / size / "block0.parquet").read_bytes() == content
    log = (copied.folder / "results/tiny/logs/train_local/south/random/cnn/block0.log").read_text()
    assert "target size 60: kept" in log
    assert "target size 80: computed" in log
    assert "target size all: kept" in log


def test_a_changed_learning_rate_keeps_no_cell(copied: Study) -> None:
    study = copied.changed(training={"epochs": 2, "fixed_epochs": 2, "learning_rate": 0.5})
    target = "results/tiny/predictions/south/random/cnn/local/60/block0.parquet"
    before = (copied.folder / target).read_bytes()
    run = study.run(target, "--cores", "1")
    assert run.code == 0, run.output
    assert (copied.folder / target).read_bytes() != before


def test_a_lost_file_is_made_again_and_equals_the_old_one(copied: Study) -> None:
    target = (
        copied.folder / "results/tiny/predictions/north-to-south/one_hot/cnn/full/60/block0.parquet"
    )
    before = pd.read_parquet(target)
    target.unlink()
    run = copied.run(str(target.relative_to(copied.folder)), "--cores", "1")
    assert run.code == 0, run.output
    pd.testing.assert_frame_equal(pd.read_parquet(target), before)


def test_a_changed_model_folder_reruns_its_embedding_and_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the folder, under a new date and under its old one; other files change nothing."""
    monkeypatch.setenv("CONCEPT_TRANSFER_CACHE", str(tmp_path / "cache"))
    model = save_tiny_model("bert", tmp_path / "models" / "tiny")
    local = {"provider": "transformers", "model": "models/tiny", "truncate": True}
    embeddings = {
        "one_hot": {"provider": "one_hot"},
        "local": local,
        "narrow": {"provider": "pca", "of": "local", "width": 4},
    }
    study = Study(tmp_path, {**tiny_study(), "embeddings": embeddings})
    run = study.run("embeddings", "--cores", "2")
    assert run.code == 0, run.output
    (model / "README.md").write_text("about the model", encoding="utf-8")
    assert study.plan("embeddings") == {}

    file = model / "config.json"
    before, dates = file.read_text(encoding="utf-8"), file.stat()
    file.write_text(before.replace("1e-12", "1e-3"), encoding="utf-8")
    assert file.read_text(encoding="utf-8") != before
    follows = {"embed": 2, "embeddings": 1}
    assert study.plan("embeddings") == follows
    os.utime(file, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert study.plan("embeddings") == follows


def test_a_changed_text_reruns_embeddings_of_texts_and_nothing_else(copied: Study) -> None:
    words = {"provider": "precomputed", "path": "words.npz"}
    vocabulary = copied.folder / "concepts.tsv"
    before = vocabulary.read_text(encoding="utf-8")
    texts = Vocabulary.read(vocabulary).texts
    keys = [*texts, f"{texts[-1]}!"]
    np.savez(copied.folder / "words.npz", keys=keys, vectors=np.eye(len(keys)))
    study = copied.changed(embeddings={**copied.config["embeddings"], "words": words})
    models = [
        f"results/tiny/sources/north/{name}/cnn/block0/card.json" for name in ("words", "random")
    ]
    run = study.run(*models, "--cores", "1")
    assert run.code == 0, run.output

    vocabulary.write_text(f"{before.rstrip()}!\n", encoding="utf-8")
    assert study.plan(*models) == {"embed": 1, "train_source_cnn": 1}
    assert copied.plan() == {"write_page": 1}

    bundle = "results/tiny/predictions/north-to-south/one_hot/cnn/full"
    run = copied.changed(target_sizes=[60, 80, "all"]).run(f"{bundle}/80/block0.parquet", "-c", "1")
    assert run.code == 0, run.output
    log = copied.folder / "results/tiny/logs/transfer/north-to-south/one_hot/cnn/block0.log"
    assert "full, target size 60: kept" in log.read_text()

    name = Vocabulary.read(vocabulary).names[-1]
    vocabulary.write_text(before.replace(f"\t{name}\t", f"\tthe {name}\t"), encoding="utf-8")
    assert copied.plan("results/tiny/check.tsv") == {"check_sites": 1}  # which names concepts
    assert copied.plan(models[1]) == {"embed": 2, "train_source_cnn": 1}
