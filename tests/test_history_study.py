"""Histories in the workflow: made where a classifier reads them, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from in_process import planned, run_study
from synthea_meds import write_meds
from test_meds import ROWS
from test_meds_study import some_events

from concept_transfer.concepts.study_vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import FILES
from concept_transfer.sites.histories import read_timelines
from concept_transfer.sites.site import Site
from concept_transfer.study import load_study
from concept_transfer.workflow import check_study

SITES = ("east", "west")
COHORT = {"index": ["VISIT//*"], "outcome": ["DX//J10"], "horizon_days": 30}


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    for seed, name in enumerate(SITES):
        write_meds(tmp_path / name, some_events(seed)[0])
    words = Vocabulary(*map(tuple, zip(*(row for row in ROWS if not row[5]), strict=True)))
    words.write(tmp_path / "vocabulary.tsv")
    return {
        "study": "tiny",
        "vocabulary": str(tmp_path / "vocabulary.tsv"),
        "task": {"label": "flu"},
        "sites": {
            name: {"adapter": "meds", "path": str(tmp_path / name), "cohort": COHORT}
            for name in SITES
        },
        "split": {"by": "share"},
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["logistic"],
        "strategies": ["local"],
    }


@pytest.fixture
def reading_histories(config: dict[str, Any]) -> None:
    """A classifier of the study reads histories."""
    config["encoders"] = {"own": {"sites": ["east"], "min_count": 2}}
    config["classifiers"] = ["history"]


def test_no_study_makes_histories_that_nobody_reads(tmp_path: Path, config: dict[str, Any]) -> None:
    with planned(tmp_path, config) as jobs:
        assert "encode_histories" not in {job.rule.name for job in jobs}


@pytest.mark.usefixtures("reading_histories")
def test_a_study_makes_the_histories_that_a_classifier_reads(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    with planned(tmp_path, config) as jobs:
        asked = {
            str(file) for job in jobs if job.rule.name.startswith("train") for file in job.input
        }
    assert {f"results/tiny/encounters/east/{name}" for name in FILES} <= asked
    results = run_study(tmp_path, config, "check_sites")
    text = (results / "check.txt").read_text()
    for name in SITES:
        split = results / "splits" / f"{name}.parquet"
        site = Site.read(results / "encounters" / name, split, ["history"])
        history, patients = read_timelines(results / "timelines" / name)
        assert len(patients) == len(history) == 240
        dated = site.inputs["history"].dated
        assert f"{name}: before the index time" in text
        assert f"0 of {len(dated)} encounters have none" in text
        assert f"events (median; {dated.min()} to {dated.max()})" in text


@pytest.mark.usefixtures("reading_histories")
def test_sites_without_histories_are_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    config["sites"]["west"] = {
        "adapter": "simulated",
        "network": "resources/networks/north.yaml",
        "encounters": 400,
    }
    config["vocabulary"] = "resources/concepts/influenza.tsv"
    study = load_study(config)
    with pytest.raises(StudyError, match=r"sites\.west: .*'simulated' knows no events .*omop"):
        check_study(study, Path(__file__).parents[1])
