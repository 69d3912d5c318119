"""A study in which an encoder, its controls and logistic regression meet, through Snakemake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from in_process import planned, run_study
from synthea_meds import write_meds
from test_meds import ROWS
from test_meds_study import some_events

from concept_transfer.command import main
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.events.patients import Asked
from concept_transfer.reporting.methods import methods_text
from concept_transfer.reporting.methods_of_encoders import encoders
from concept_transfer.serving.patients import dataset_of
from concept_transfer.serving.scoring import Scorer
from concept_transfer.study import load_study
from concept_transfer.workflow import left_out, with_offers

SITES = ("east", "west")
PATIENTS = 130
COHORT = {"index": ["VISIT//*"], "outcome": ["DX//J10"], "horizon_days": 30}
BACK = 4000.0  # days, before the first event
TINY: dict[str, Any] = {"sites": ["east"], "width": 8, "heads": 2, "layers": 1}
TINY |= {"feed_forward": 8, "epochs": 3, "max_length": 32, "min_count": 2}


def some_sites(folder: Path) -> None:
    """Two datasets; the western one has codes that the eastern one lacks."""
    for seed, name in enumerate(SITES):
        events = [event for event in some_events(seed)[0] if event[0] <= PATIENTS]
        if name == "west":
            renamed = {"DX//R05": "DX//R05.9", "DX//Z99": "OTHER//Z99"}
            events = [
                (who, when, renamed.get(code, code), *rest) for who, when, code, *rest in events
            ]
        write_meds(folder / name, events)
    words = Vocabulary(*map(tuple, zip(*(row for row in ROWS if not row[5]), strict=True)))
    words.write(folder / "vocabulary.tsv")


def a_study(folder: Path) -> dict[str, Any]:
    return {
        "study": "tiny",
        "vocabulary": str(folder / "vocabulary.tsv"),
        "task": {"label": "flu", "outcome_codes": ["DX//J10"]},
        "sites": {
            name: {
                "adapter": "meds",
                "path": str(folder / name),
                "cohort": {**COHORT, "look_back_days": BACK},
            }
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
        "strategies": ["zero", "local", "direct", "linear", "full", "auto"],
        "target_sizes": ["all"],
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


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("histories")
    some_sites(folder)
    return run_study(folder, a_study(folder), "tables")


def cells(results: Path, embedding: str, *metrics: str) -> pd.DataFrame:
    estimates = pd.read_parquet(results / f"metrics/west/{embedding}/estimates.parquet")
    return estimates[estimates["metric"].isin(metrics or ["auroc"])]


def test_every_strategy_has_cells_and_zero_has_no_source_and_no_size(results: Path) -> None:
    found = cells(results, "codes")
    zero = found[found["strategy"] == "zero"]
    assert zero[["source", "classifier", "size"]].to_numpy().tolist() == [["", "mask", "0"]]
    assert set(found["strategy"]) == {"zero", "local", "direct", "linear", "full"}
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
    study = load_study(a_study(results.parents[1]))
    methods = dict(methods_text(study, {}, {}))["Encoders of histories"]
    assert "codes (a transformer of 1 layer of width 8" in methods
    assert "Controls: untrained." in methods
    comparisons = pd.read_parquet(results / "comparisons.parquet")
    assert {"encoder controls", "tuning"} <= set(comparisons["family"])
    claims = (results / "tables" / "answer_claims.csv").read_text()
    assert "A mask beats a vector" in claims


def test_replicates_have_the_copies_in_turn(results: Path) -> None:
    file = results / "predictions/west/codes/mask/zero/0/block0.parquet"
    predictions = pd.read_parquet(file).pivot_table(
        index="encounter", columns="replicate", values="probability", observed=True
    )
    assert not np.array_equal(predictions[0], predictions[1])


def test_records_and_report_say_how_much_of_the_events_is_known(results: Path) -> None:
    """Counted by hand: codes of the target's test patients before the index."""
    folder = results.parents[1]
    files = sorted((folder / "west" / "data").rglob("*.parquet"))
    events = pd.concat([pd.read_parquet(file) for file in files]).dropna(subset="time")
    split = pd.read_parquet(results / "splits" / "west.parquet")
    tested = split.loc[split["fold"] >= 0, "encounter"].str.split("@", expand=True)
    when = pd.Series(pd.to_datetime(tested[1]).to_numpy(), tested[0].astype(int))
    events["until"] = events["subject_id"].map(when)
    seen = events[(events["time"] < events["until"]) & ~events["code"].str.startswith("MEDS_")]
    shares = {
        "events_by_prefix": seen["code"].eq("DX//R05.9").mean(),
        "events_unknown": seen["code"].eq("OTHER//Z99").mean(),
        "events_cut": 0,
    }
    assert min(shares["events_by_prefix"], shares["events_unknown"]) > 0.02
    found = cells(results, "codes", *shares).groupby("metric")["estimate"]
    for name, share in shares.items():
        np.testing.assert_allclose(found.get_group(name), share, rtol=1e-12)
    table = pd.read_csv(results / "tables" / "known_events.csv")
    assert table[["embedding", "target"]].to_numpy().tolist() == [
        ["codes", "west"],
        ["untrained", "west"],
    ]
    np.testing.assert_allclose(table[list(shares)], [list(shares.values())] * 2, rtol=1e-6)


# The kept models elsewhere


def bundle(results: Path, classifier: str = "mask", strategy: str = "full") -> Path:
    return results / f"models/east-to-west/codes/{classifier}/{strategy}/all/block0"


def labels_of(results: Path, path: Path) -> Path:
    """The index times of the test patients, without any label."""
    split = pd.read_parquet(results / "splits" / "west.parquet")
    tested = split.loc[split["fold"] >= 0, "encounter"].str.split("@", expand=True)
    times = pd.to_datetime(tested[1]).astype("datetime64[us]")
    frame = pd.DataFrame({"subject_id": tested[0].astype("int64"), "prediction_time": times})
    frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize(("classifier", "strategy"), [("mask", "full"), ("pooled", "linear")])
def test_predict_says_of_a_dataset_what_the_study_does(
    results: Path,
    classifier: str,
    strategy: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = labels_of(results, tmp_path / "labels.parquet")
    out = tmp_path / "out.parquet"
    arguments = ["--bundle", str(bundle(results, classifier, strategy)), "--out", str(out)]
    dataset = ["--encounters", str(results.parents[1] / "west"), "--labels", str(labels)]
    assert main(["predict", *arguments, *dataset, "--replicates"]) == 0
    said = capsys.readouterr().err
    assert "Events of the last 4000 days before the time are read." in said
    assert "1 code that the model does not know:" in said
    assert "OTHER//Z99" in said
    found = pd.read_parquet(out).set_index("encounter")
    cell = f"east-to-west/codes/{classifier}/{strategy}/all/block0.parquet"
    study = pd.read_parquet(results / "predictions" / cell)
    study = study[study["partition"] == "test"]
    expected = study.pivot_table(
        index="encounter", columns="replicate", values="probability", observed=True
    )
    assert len(found) == len(expected)
    own = found.loc[expected.index, ["replicate_0", "replicate_1"]]
    np.testing.assert_allclose(own, expected, rtol=2e-6)  # batches pad otherwise than the study's
    assert own.round(4).nunique().min() > 10


def test_predict_without_times_is_at_the_last_event(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--bundle", str(bundle(results)), "--out", str(tmp_path / "last.csv")]
    dataset = ["--encounters", str(results.parents[1] / "west")]
    assert main(["predict", *arguments, *dataset]) == 0
    last = pd.read_csv(tmp_path / "last.csv").set_index("encounter")["probability"]
    assert len(last) == PATIENTS
    ids = last.index.str.split("@", expand=True).to_frame(index=False)
    times = pd.to_datetime(ids[1]) + pd.Timedelta(microseconds=1)
    frame = pd.DataFrame(
        {"subject_id": ids[0].astype("int64"), "prediction_time": times.astype("datetime64[us]")}
    )
    frame.to_parquet(tmp_path / "after.parquet", index=False)
    arguments[-1] = str(tmp_path / "after.csv")
    labels = ["--labels", str(tmp_path / "after.parquet")]
    assert main(["predict", *arguments, *dataset, *labels]) == 0
    after = pd.read_csv(tmp_path / "after.csv")["probability"]
    np.testing.assert_allclose(after, last, rtol=1e-5)
    capsys.readouterr()


def test_a_bundle_brings_its_look_back_and_a_site_its_own(results: Path, tmp_path: Path) -> None:
    scorer = Scorer.read(bundle(results))
    assert scorer.bundle.card.look_back_days == BACK
    assert dataset_of(scorer, "elsewhere", None, None).look_back_days == BACK
    config = a_study(results.parents[1])
    config["sites"]["west"]["cohort"]["look_back_days"] = 10
    (tmp_path / "study.yaml").write_text(json.dumps(config), encoding="utf-8")
    given = dataset_of(scorer, None, str(tmp_path / "study.yaml"), "west")
    assert (given.path, given.look_back_days) == (str(results.parents[1] / "west"), 10)
    given = dataset_of(scorer, "elsewhere", str(tmp_path / "study.yaml"), "west")
    assert (given.path, given.look_back_days) == ("elsewhere", 10)


def test_patients_are_predicted_some_at_a_time(
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = labels_of(results, tmp_path / "labels.parquet")
    given = ["predict", "--bundle", str(bundle(results)), "--labels", str(labels)]
    given += ["--encounters", str(results.parents[1] / "west"), "--out"]
    assert main([*given, str(tmp_path / "whole.csv")]) == 0
    whole = capsys.readouterr().err
    monkeypatch.setattr(Asked.histories, "__defaults__", (7,))
    assert main([*given, str(tmp_path / "parts.csv")]) == 0
    assert capsys.readouterr().err == whole.replace("whole.csv", "parts.csv")
    both = [pd.read_csv(tmp_path / f"{name}.csv") for name in ("whole", "parts")]
    pd.testing.assert_frame_equal(*both, rtol=1e-5)


def test_what_cannot_be_predicted_is_said_in_one_paragraph(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = results.parents[1]
    (tmp_path / "new.csv").write_text("encounter,fever\na,1\n")
    early = pd.DataFrame({"subject_id": [1], "prediction_time": [pd.Timestamp("1900-01-01")]})
    early.astype({"prediction_time": "datetime64[us]"}).to_parquet(tmp_path / "early.parquet")
    findings = next((results / "models").glob("west/none/logistic/local/all/block0"))
    west, history = str(folder / "west"), str(bundle(results))
    for models, given, said in (
        (history, [str(tmp_path / "new.csv")], "read patients' histories; give the folder of a"),
        (str(findings), [west], "read findings; give a table of encounters"),
        (str(findings), [str(tmp_path / "new.csv"), "--labels", "x"], "--labels is for MEDS data"),
        (history, [west, "--layout", "long"], "--layout is for tables of findings"),
        (history, [str(tmp_path)], "is no MEDS dataset"),
        (history, [west, "--labels", str(tmp_path / "no.parquet")], "does not exist or holds no"),
        (history, [west, "--labels", str(tmp_path / "early.parquet")], "the cohort is empty: 1 "),
        (history, [west, "--site", "west"], "--config and --site go together"),
        (history, [], "--encounters is needed where no --config"),
        (str(findings), [], "--encounters is needed: "),
    ):
        out = tmp_path / "out.csv"
        arguments = ["predict", "--bundle", models, "--out", str(out)]
        arguments += ["--encounters", *given] if given else []
        assert main(arguments) == 1, said
        error = capsys.readouterr().err
        assert said in error
        assert error.startswith("Error: ")
        assert error.count("\n") == 1
        assert not out.exists()


def received(results: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    """A study at the target that has of the source its models alone."""
    config = a_study(results.parents[1])
    config["encoders"] = {"codes": config["encoders"]["codes"]}
    config["sites"]["east"] = {"bundle": "came"}
    config["claims"] = []
    if not (folder / "came").exists():
        shutil.copytree(results / "sources" / "east", folder / "came")
    return {**config, **changes}


def test_models_that_came_need_no_encoder_and_no_patient_of_their_source(
    results: Path, tmp_path: Path
) -> None:
    config = received(results, tmp_path)
    study = with_offers(load_study(config), tmp_path)
    (said,) = left_out(study)
    assert "encoders.codes comes tuned, with the models of east: local, zero would need it" in said
    assert "brought by the models of east" in encoders(study)
    with planned(tmp_path, config) as jobs:
        made = [(job.rule.name, dict(job.wildcards.items())) for job in jobs]
    assert "pretrain" not in {rule for rule, _ in made}
    assert {names["site"] for rule, names in made if rule == "encode_histories"} == {"west"}
    assert not [rule for rule, names in made if rule == "train_local_mask"]
    cells = [
        f"east-to-west/codes/{cell}/block0.parquet"
        for cell in ("mask/direct/0", "mask/linear/all", "mask/full/all")
    ]
    run_study(tmp_path, config, *(f"results/tiny/predictions/{cell}" for cell in cells))
    for cell in cells:
        here = pd.read_parquet(tmp_path / "results/tiny/predictions" / cell)
        there = pd.read_parquet(results / "predictions" / cell)
        pd.testing.assert_frame_equal(here, there, check_exact=True)


@pytest.mark.parametrize(
    ("encoders", "said"),
    [
        ({"codes": {"width": 16}}, "was made with width: 8, but the study says 16; write encoders"),
        ({"codes": {"sites": ["west"]}}, "but the study pre-trains one of this name on west: name"),
        ({"codes": {"sites": ["east", "west"]}}, "'east' is given as models without encounters"),
        ({"codes": {}, "own": {"sites": ["west"], "unlabelled": ["east"]}}, "encoders.own: the si"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused_while_planning(
    results: Path, encoders: dict[str, Any], said: str, tmp_path: Path
) -> None:
    sections = {name: {**TINY, "copies": 2, **changes} for name, changes in encoders.items()}
    with pytest.raises(StudyError, match=said):
        with_offers(load_study(received(results, tmp_path, encoders=sections)), tmp_path)
