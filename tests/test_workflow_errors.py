"""What bad input gets: one paragraph that names the key or file, before any job where it can be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from workflow_runs import Study, tiny_study

# Root may write anywhere, unless it gives up that right.
DROPPED = "-dac_override,-dac_read_search"
WITHOUT_ROOTS_RIGHTS = (
    ["setpriv", f"--bounding-set={DROPPED}", f"--inh-caps={DROPPED}"] if os.getuid() == 0 else []
)
PRESENT = {"cough": "C0010200", "fever": "C2055125"}


def tabular_study(folder: Path) -> dict[str, Any]:
    """Two CSV sites of 120 encounters, columns named by concept."""
    rng = np.random.default_rng(0)
    vocabulary = pd.read_csv(tiny_study()["vocabulary"], sep="\t", comment="#")
    concepts = vocabulary[vocabulary.category == "finding"].concept.unique()[:6]
    sites = {}
    for name in ("a", "b"):
        table = pd.DataFrame({c: rng.choice(["P", "A", "M"], 120) for c in concepts})
        table.insert(0, "visit", [f"v{i}" for i in range(120)])
        table["flu"] = rng.choice(["yes", "no"], 120)
        table.to_csv(folder / f"{name}.csv", index=False)
        sites[name] = {
            "adapter": "tabular",
            "path": f"{name}.csv",
            "encounter": "visit",
            "label": {"column": "flu", "positive": ["yes"], "negative": ["no"]},
        }
    return {**tiny_study(), "sites": sites}


def refused_at_once(study: Study, *words: str) -> None:
    """The plan fails with all the words in one paragraph, and nothing was written."""
    run = study.run("--dry-run")
    assert run.code != 0
    paragraphs = [line for line in run.output.splitlines() if words[0] in line]
    assert paragraphs, run.output
    for word in words:
        assert word in paragraphs[0], f"{word!r} is not in: {paragraphs[0]}"
    assert "Traceback" not in run.output
    assert not (study.folder / "results").exists()


def refused_in_job(study: Study, target: str, *words: str) -> None:
    """The job fails, and its log holds all the words."""
    run = study.run(target, "--cores", "1")
    assert run.code != 0
    errors = [line for line in run.output.splitlines() if line.startswith("Error: ")]
    assert errors, run.output
    for word in words:
        assert word in errors[0], f"{word!r} is not in: {errors[0]}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"replicate": 3}, ("replicate", "unknown key")),
        ({"strategies": ["local", "linaer"]}, ("linaer", "linear")),
        ({"embeddings": {"bert": {"provider": "brt"}}}, ("embeddings.bert", "brt", "one_hot")),
        (
            {"embeddings": {"control": {"provider": "shuffled", "of": "bert"}}},
            ("embeddings.control", "bert"),
        ),
        ({"classifiers": ["svm"]}, ("classifiers", "svm", "logistic")),
        ({"target_sizes": ["some"]}, ("target_sizes", "some")),
        ({"pairs": [["north", "east"]]}, ("east", "north, south")),
        ({"split": {"by": "time"}}, ("test_from",)),
        ({"task": {"label": "gout"}}, ("gout", "influenza")),
        (
            {"task": {"label": "influenza", "exclude_categories": ["labs"]}},
            ("labs", "lab result"),
        ),
        ({"vocabulary": "nowhere.tsv"}, ("nowhere.tsv",)),
        (
            {"embeddings": {"m": {"provider": "transformers", "model": "./empty"}}},
            ("embeddings.m", "empty"),
        ),
        (
            {"embeddings": {"h": {"provider": "precomputed", "path": "part.h5"}}},
            ("embeddings.h", "part.h5"),
        ),
    ],
)
def test_a_wrong_config_is_refused_before_any_job(
    tmp_path: Path, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    (tmp_path / "empty").mkdir()
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["C0010200 cough"] = np.ones((1, 4), np.float32)
    refused_at_once(Study(tmp_path, {**tiny_study(), **changes}), *words)


def test_a_key_that_stands_twice_is_refused_before_any_job(tmp_path: Path) -> None:
    also = tmp_path / "also.json"
    also.write_text('{"training":\n {"epochs": 1,\n "epochs": 2}}', encoding="utf-8")
    run = Study(tmp_path, tiny_study()).run("--dry-run", also=also)
    assert run.code != 0
    assert f"{also} has 'training.epochs' in line 2 and in line 3" in run.output
    assert "Traceback" not in run.output


def test_a_site_in_no_pair_is_named_and_not_read(tmp_path: Path) -> None:
    study = tiny_study()
    sites = {**study["sites"], "west": {"adapter": "simulated", "network": "nowhere.yaml"}}
    run = Study(tmp_path, {**study, "sites": sites, "pairs": [["north", "south"]]}).run("--dry-run")
    assert run.code == 0, run.output
    assert [line for line in run.output.splitlines() if "sites.west" in line] == [
        "No pair of 'pairs' names sites.west: this study does without."
    ]


def test_braces_in_the_label_are_no_wildcards(tmp_path: Path) -> None:
    study = Study(tmp_path, {**tabular_study(tmp_path), "task": {"label": "{flu} {{2}}"}})
    assert study.plan()["train_source_cnn"] == 6


def test_a_device_that_the_machine_lacks_is_refused_in_the_first_job_that_needs_it(
    tmp_path: Path,
) -> None:
    study = Study(tmp_path, tiny_study()).changed(resources={"device": "cuda:99"})
    refused_in_job(
        study, "results/tiny/sources/north/one_hot/cnn/block0/card.json", "cuda:99", "cpu"
    )
    assert (tmp_path / "results" / "tiny" / "embeddings" / "one_hot.json").is_file()


def test_a_missing_site_file_is_refused_before_any_job(tmp_path: Path) -> None:
    study = Study(tmp_path, tabular_study(tmp_path))
    (tmp_path / "b.csv").unlink()
    refused_at_once(study, "sites.b", "b.csv")


def test_a_missing_column_is_refused_before_any_job(tmp_path: Path) -> None:
    study = Study(tmp_path, tabular_study(tmp_path))
    table = pd.read_csv(tmp_path / "b.csv").rename(columns={"flu": "influenza"})
    table.to_csv(tmp_path / "b.csv", index=False)
    refused_at_once(study, "sites.b", "b.csv", "flu")


def test_a_misspelt_finding_is_refused_before_any_job(tmp_path: Path) -> None:
    study = Study(tmp_path, tabular_study(tmp_path))
    table = pd.read_csv(tmp_path / "b.csv")
    concept = table.columns[2]
    table.rename(columns={concept: f"{concept}x"}).to_csv(tmp_path / "b.csv", index=False)
    refused_at_once(study, "sites.b", "b.csv", f"'{concept}x' (did you mean '{concept}'?)")


def test_the_check_and_its_warnings_reach_the_terminal(tmp_path: Path) -> None:
    study = Study(tmp_path, tabular_study(tmp_path))
    shutil.copy(tmp_path / "a.csv", tmp_path / "b.csv")
    for _ in range(2):  # the second time no job is left to do
        output = study.run("check", "--cores", "1").output
        assert "b records 6 of the " in output
        assert "Warning: Sites a and b hold the same encounters" in output


def test_a_value_outside_the_spellings_names_row_and_column_but_not_the_value(
    tmp_path: Path,
) -> None:
    study = Study(tmp_path, tabular_study(tmp_path))
    table = pd.read_csv(tmp_path / "a.csv", dtype=str)
    column = table.columns[3]
    table.loc[16, column] = "Jane Doe"
    table.to_csv(tmp_path / "a.csv", index=False)
    refused_in_job(study, "encounters", "a.csv", column, "17")
    assert "Jane Doe" not in study.run("encounters", "--cores", "1").output


def test_duplicate_encounters_are_refused(tmp_path: Path) -> None:
    study = Study(tmp_path, tabular_study(tmp_path))
    table = pd.read_csv(tmp_path / "a.csv", dtype=str)
    table.loc[5, "visit"] = table.loc[2, "visit"]
    table.to_csv(tmp_path / "a.csv", index=False)
    refused_in_job(study, "encounters", "a.csv", "visit")


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    study = Study(tmp_path, tabular_study(tmp_path))
    table = pd.read_csv(tmp_path / "a.csv", dtype=str)
    table["flu"] = "no"
    table.to_csv(tmp_path / "a.csv", index=False)
    refused_in_job(study, "encounters", "a")


def test_a_too_large_target_size_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    study = Study(tmp_path, tiny_study()).changed(target_sizes=[60, 5000])
    refused_in_job(study, "check", "5000", "north")
    splits = sorted((tmp_path / "results" / "tiny" / "splits").iterdir())
    assert [path.name for path in splits] == ["north.parquet", "south.parquet"]


@pytest.mark.parametrize("made", ["closed folder of a rule", "closed folder", "file"])
def test_logs_that_cannot_be_written_are_refused_in_one_line(tmp_path: Path, made: str) -> None:
    logs = tmp_path / "results" / "tiny" / "logs"
    closed = logs / "encode_site" if made == "closed folder of a rule" else logs
    if made == "file":
        logs.parent.mkdir(parents=True)
        logs.touch()
    else:
        closed.mkdir(parents=True)
        closed.chmod(0o555)
    program = f"""
from pathlib import Path
from concept_transfer.errors import StudyError
from concept_transfer.workflow import check_writable
try:
    check_writable(Path({str(logs)!r}))
except StudyError as error:
    print(error)
"""
    command = [*WITHOUT_ROOTS_RIGHTS, sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{closed} is no folder that you can write")
    assert done.stdout.count("\n") == 1


def test_a_plan_without_a_place_for_logs_is_refused(tmp_path: Path) -> None:
    logs = tmp_path / "results" / "tiny" / "logs"
    logs.parent.mkdir(parents=True)
    logs.touch()
    run = Study(tmp_path, tiny_study()).run("--cores", "1")
    assert run.code != 0
    assert "results/tiny/logs is no folder that you can write" in run.output
    assert "Traceback" not in run.output
