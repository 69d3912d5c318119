"""Models leave one hospital and are the source of another's study, in another folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from in_process import planned, run_study
from workflow_runs import tiny_study

from concept_transfer.errors import StudyError
from concept_transfer.grid import Grid
from concept_transfer.paths import HOME
from concept_transfer.sites.bundles import bundles_in
from concept_transfer.study import load_study
from concept_transfer.workflow import check_study, left_out, with_offers


def a_study(**changes: Any) -> dict[str, Any]:
    return {
        **tiny_study(),
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["cnn", "logistic", "extra_trees"],
        "strategies": ["direct", "linear", "full", "prior"],
        "pairs": [["north", "south"]],
        "target_sizes": [60],
        "training": {"epochs": 2, "fixed_epochs": 2, "filters": 10},
        "keep": {"licence": "CC BY 4.0", "strategies": ["full", "prior"]},
        **changes,
    }


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a study that has exported its models."""
    return run_study(tmp_path_factory.mktemp("sender"), a_study(), "export_models")


def receiving(sites: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A study of models that came, and the target; vocabulary and vectors came with them."""
    config = a_study(
        study="received",
        pairs="all",
        sites={**sites, "south": tiny_study()["sites"]["south"]},
        embeddings={"one_hot": {"provider": "bundle", "path": "came"}},
        strategies=["local", "direct", "linear", "full", "prior", "pooled", "coral", "auto"],
        **changes,
    )
    return {key: value for key, value in config.items() if key != "vocabulary"}


@pytest.fixture(scope="module")
def received(sent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the study that received them, run to its report."""
    folder = tmp_path_factory.mktemp("receiver")
    shutil.copytree(sent / "exports" / "sources" / "north", folder / "came")
    return run_study(folder, receiving({"elsewhere": {"bundle": "came"}}))


def test_the_index_says_what_left_and_what_stayed(sent: Path) -> None:
    index = pd.read_csv(sent / "exports" / "index.tsv", sep="\t", keep_default_na=False)
    assert set(zip(index["classifier"], index["exported"], strict=True)) == {
        ("cnn", "yes"),
        ("logistic", "yes"),
        ("extra_trees", "no"),
    }
    assert index.loc[index["exported"] == "no", "reason"].str.contains("min_leaf: 11").all()
    assert {tuple(row) for row in index[["classifier", "strategy"]].to_numpy()} == {
        ("cnn", ""),
        ("cnn", "full"),
        ("logistic", ""),
        ("logistic", "prior"),
        ("extra_trees", ""),
    }
    left = {sent.parents[1] / path for path in index.loc[index["exported"] == "yes", "bundle"]}
    assert set(bundles_in(sent / "exports")) == left


def test_cells_are_those_of_the_study_with_the_data(sent: Path, received: Path) -> None:
    cells = {"cnn": ("direct/0", "linear/60", "full/60"), "logistic": ("direct/0", "prior/60")}
    for classifier, strategies in cells.items():
        embedding = "one_hot" if classifier == "cnn" else "none"
        for strategy in strategies:
            file = f"{embedding}/{classifier}/{strategy}/block0.parquet"
            there = pd.read_parquet(sent / "predictions" / "north-to-south" / file)
            here = pd.read_parquet(received / "predictions" / "elsewhere-to-south" / file)
            pd.testing.assert_frame_equal(here, there, check_exact=True)
            assert np.isfinite(here["probability"]).all()


def test_the_report_says_what_was_left_out(received: Path) -> None:
    assert not list(received.glob("predictions/elsewhere-to-south/*/*/pooled"))
    assert not list(received.glob("predictions/elsewhere-to-south/*/*/coral"))
    assert not list(received.glob("predictions/elsewhere-to-south/*/extra_trees"))
    assert list(received.glob("predictions/elsewhere-to-south/none/all_models/auto/60/*"))
    assert {path.name for path in (received / "encounters").iterdir()} == {"south"}
    methods = (received / "methods.md").read_text(encoding="utf-8")
    assert "Encounters of 1 site were used" in methods
    assert "Models came from elsewhere (elsewhere: models as they came in came" in methods
    assert "Of elsewhere only the models are known, so pooled and coral was left out" in methods
    assert "given as a bundle" in (received / "report.html").read_text(encoding="utf-8")
    glance = pd.read_csv(received / "tables" / "glance.csv")
    assert set(glance["source"].dropna()) == {"elsewhere"}


def test_a_tuned_model_can_be_handed_on_with_what_is_told_of_both_hospitals(sent: Path) -> None:
    card = json.loads(
        next((sent / "exports" / "models").glob("*/one_hot/cnn/full/60/*/card.json")).read_text()
    )
    assert set(card["data"]) == {"north", "south"}
    assert card["use"]["licence"] == "CC BY 4.0"
    assert card["strategy"]["name"] == "full"


def test_what_was_tuned_from_a_bundle_tells_of_the_hospital_that_sent_it(
    received: Path,
) -> None:
    config = receiving({"elsewhere": {"bundle": "came"}})
    results = run_study(received.parents[1], config, "export_models")
    index = pd.read_csv(results / "exports" / "index.tsv", sep="\t", keep_default_na=False)
    assert set(index.loc[index["exported"] == "yes", "strategy"]) == {"full", "prior"}
    card = json.loads(next((results / "exports").glob("**/full/60/*/card.json")).read_text())
    sent = json.loads(next((received.parents[1] / "came").glob("one_hot/**/card.json")).read_text())
    assert card["source"] == "elsewhere"
    assert card["data"]["north"] == sent["data"]["north"]
    assert set(card["data"]) == {"north", "south"}


def offered(sent: Path, config: dict[str, Any], folder: Path) -> Any:
    if not (folder / "came").exists():
        shutil.copytree(sent / "exports" / "sources" / "north", folder / "came")
    study = with_offers(load_study(config), folder)
    check_study(study, folder)
    return study


def test_what_needs_the_encounters_of_a_source_is_said_before_any_job(
    sent: Path, tmp_path: Path
) -> None:
    study = offered(sent, receiving({"elsewhere": {"bundle": "came"}}), tmp_path)
    (said,) = left_out(study)
    assert "sites.elsewhere" in said
    assert "coral, pooled" in said
    grid = Grid(study)
    assert grid.sites == ["south"]
    assert grid.targets == ["south"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replicates": 5, "block_size": 5}, "Set 'replicates' and 'block_size'"),
        ({"classifiers": ["naive_bayes"]}, "no model of this study's classifiers"),
        ({"task": {"label": "covid"}}, "predicts the classes no influenza, influenza"),
        ({"pairs": [["south", "elsewhere"]]}, "it can only be a source"),
        ({"embeddings": {"words": {"provider": "bundle", "path": "came"}}}, "vectors of this name"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_job(
    sent: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    config = receiving({"elsewhere": {"bundle": "came"}}) | changes
    with pytest.raises(StudyError, match=said):
        offered(sent, config, tmp_path)


def test_another_vocabulary_is_refused_before_any_job(sent: Path, tmp_path: Path) -> None:
    words = (HOME / "resources" / "concepts" / "influenza.tsv").read_text(encoding="utf-8")
    (tmp_path / "other.tsv").write_text(words.replace("\treported fever\t", "\theat\t"))
    assert "\theat\t" in (tmp_path / "other.tsv").read_text()
    config = receiving({"elsewhere": {"bundle": "came"}}) | {"vocabulary": "other.tsv"}
    with pytest.raises(StudyError, match=r"sites\.elsewhere: .*was trained on vocabulary"):
        offered(sent, config, tmp_path)


def test_a_changed_bundle_is_refused_before_any_job(sent: Path, tmp_path: Path) -> None:
    config = receiving({"elsewhere": {"bundle": "came"}})
    offered(sent, config, tmp_path)
    file = next((tmp_path / "came").rglob("models.safetensors"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(StudyError, match=r"models\.safetensors was altered"):
        offered(sent, config, tmp_path)


def test_a_site_with_data_beside_a_bundle_keeps_its_strategies(sent: Path, tmp_path: Path) -> None:
    sites = {"elsewhere": {"adapter": "bundle", "path": "came"}}
    sites["north"] = tiny_study()["sites"]["north"]
    config = receiving(sites, vocabulary=tiny_study()["vocabulary"])
    shutil.copytree(sent / "exports" / "sources" / "north", tmp_path / "came")
    with planned(tmp_path, config) as jobs:
        files = {str(file) for job in jobs for file in job.output}
    assert any("/north-to-south/one_hot/cnn/pooled/" in file for file in files)
    assert any("/elsewhere-to-north/one_hot/cnn/full/" in file for file in files)
    assert not any("/elsewhere-to-north/one_hot/cnn/pooled/" in file for file in files)
