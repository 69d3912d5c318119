"""Pre-training in the workflow: on the histories of those who never test, and on no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import run_study

# fixtures, which pytest finds by their names here (so too the argument of that name below)
from test_history_study import config, reading_histories  # noqa: F401

from concept_transfer.cohorts.encounters import Encounters
from concept_transfer.cohorts.splits import Split
from concept_transfer.cohorts.untested import read_cohorts
from concept_transfer.embeddings.cache import VARIABLE
from concept_transfer.models.code_encoder import model_of
from concept_transfer.pretraining.encoder import EncoderFiles
from concept_transfer.pretraining.reading import read_histories
from concept_transfer.sites.histories import read_timelines
from concept_transfer.sites.site import Site

SMALL = {"width": 8, "layers": 1, "feed_forward": 8, "epochs": 1, "min_count": 2}


@pytest.mark.usefixtures("reading_histories")
def test_encoders_learn_from_those_who_never_test(
    tmp_path: Path,
    config: dict[str, Any],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    config["encoders"] = {
        "own": {"sites": ["east"], **SMALL},
        "both": {"sites": ["east"], "unlabelled": ["west"], "copies": 2, **SMALL}
        | {"vectors": "one_hot"},
    }
    west_cohort = config["sites"]["west"]["cohort"]
    config["sites"]["west"]["cohort"] = {
        **west_cohort,
        "index": ["DX//R05", "VISIT//*"],
        "which": "every",
        "washout_days": 0,
    }
    results = run_study(tmp_path, config, "encoders")
    sites = {}
    for name in ("east", "west"):
        folder, split = results / "encounters" / name, results / "splits" / f"{name}.parquet"
        sites[name] = (
            Encounters.read(folder),
            Split.read(split),
            Site.read(folder, split, ["history"]),
        )
    encounters, split, _ = sites["east"]
    testing = set(encounters.table["patient"].to_numpy()[split.fold >= 0])
    timelines, patients = read_timelines(results / "timelines" / "east")
    assert testing < set(patients)

    files = [
        str(results / "timelines" / "east" / "patients.parquet"),
        str(results / "encounters" / "west" / "history_days.npy"),
    ]
    cohorts = read_cohorts(
        [str(results / "encounters" / name / "encounters.parquet") for name in sites],
        [str(results / "splits" / f"{name}.parquet") for name in sites],
    )
    histories, masks, persons = read_histories(files, cohorts, False)
    assert persons is None
    *_, (east, western) = read_histories(files, cohorts, True)
    names = [patients, sites["west"][0].table["patient"].to_numpy()]
    found = dict(zip(np.concatenate(names), np.concatenate([east, western]), strict=True))
    assert len(set(found.values())) == len(found)
    assert [found[name] for name in names[1]] == western.tolist()
    assert set(patients[~masks[0]]) == testing
    _, west_split, west = sites["west"]
    assert len(histories[1]) == len(west.labels)
    assert not (masks[1] & (west_split.fold >= 0)).any()
    who = sites["west"][0].table["patient"].to_numpy()[west_split.fold < 0]
    assert 0 < masks[1].sum() == len(set(who)) < len(who)

    own = EncoderFiles.read(results / "encoders" / "own" / "0")
    dated = timelines.dated[[patient not in testing for patient in patients]]
    learned = own.facts["histories"] + own.facts["held_out_histories"]
    assert 0 < learned <= (dated > 0).sum()
    both = [EncoderFiles.read(results / "encoders" / "both" / copy) for copy in "01"]
    assert both[0].facts["histories"] > own.facts["histories"]
    assert (both[0].facts["copy"], both[1].facts["copy"]) == (0, 1)
    for each in (own, *both):
        model_of(each)
    log = (results / "logs" / "pretrain" / "both" / "0.log").read_text()
    assert "codes start from texts" in log
    assert "epoch 1 of at most 1" in log
