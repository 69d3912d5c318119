"""What leaves a hospital with a model: no encounter, no count of few, and why a model stays."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_data import encoders_for
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from test_cells import BLOCK, SETTINGS, TOKENS, VECTORS, Site, make_site
from test_permutations import a_vocabulary

from concept_transfer.cell import Cell
from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.exporting.description import Hospital
from concept_transfer.exporting.export import Sender, index_text
from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import read_bundle, read_card
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.sites.extract import Extract
from concept_transfer.training.jobs import Task, run_tasks
from concept_transfer.training.reading import family_of
from concept_transfer.training.setup import Material, Setup

VOCABULARY = a_vocabulary(TOKENS // 2)
TABLE = EmbeddingTable.create("words", "precomputed", np.asarray(VECTORS), VOCABULARY)
CLASSES = ["no", "influenza"]
SMALL = 11
LEAVING = {
    "naive_bayes": {"rounded_to": SMALL},
    "gradient_boosting": {"min_leaf": SMALL},
    "extra_trees": {"min_leaf": SMALL},
}


def a_site(count: int = 400) -> Site:
    """Identifiers that occur nowhere else."""
    row = np.arange(count)
    site = make_site("hospital", np.where(row % 3 == 0, 0, -1), row % 5 == 0)
    split = replace(
        site.split, table=site.split.table.set_column(0, "encounter", [ids(count, "visit")])
    )
    return replace(site, cohort=replace(site.cohort, split=split))


def ids(count: int, what: str) -> list[str]:
    return [f"{what}-{7 * i + 100_003}" for i in range(count)]


def hospital_of(site: Site) -> Hospital:
    count = len(site.labels)
    times = [date(2019, 12, 20) + timedelta(days=i) for i in range(count)]
    patients = ids(count, "person")
    table = encounter_table(ids(count, "visit"), patients, site.labels, patients, times)
    return Hospital(Extract(Encounters(table), site.inputs, {}), site.split, CLASSES)


def kept(site: Site, learner: dict[str, Any], folder: Path, size: str = "all") -> tuple[Path, Path]:
    """A bundle that a job wrote, and its predictions."""
    name = learner["kind"]
    table = TABLE if LEARNERS[name].takes_embedding else None
    names = ("tiny", "influenza", CLASSES, learner)
    encoder = encoders_for(name)
    setup = Setup(*names, BLOCK, VOCABULARY, table, "cpu", 1, encoder=encoder)
    bundle = folder / f"hospital/words/{name}/local/{size}/block0"
    predictions = folder / "predictions.parquet"
    cell = Cell("", site.name, "words", name, "local", size)
    training = SETTINGS.model_dump(mode="json")
    task = Task(cell, {"kind": "local"}, training, predictions, bundle, "origin")
    run_tasks([task], setup, setup.bench, Material(site), {})
    return bundle, predictions


def sender(site: Site, folder: Path, **changes: Any) -> Sender:
    evaluation = Evaluation(draws=100, small_cells=SMALL, **changes)
    use = {"licence": "CC BY 4.0", "intended_use": "research"}
    limits = {"hospital": "One hospital."}
    return Sender({"hospital": hospital_of(site)}, evaluation, 1, use, limits, folder)


@pytest.mark.parametrize("learner", sorted(n for n, each in LEARNERS.items() if each.leaves))
def test_an_export_predicts_the_same_and_tells_of_no_patient(learner: str, tmp_path: Path) -> None:
    site, settings = a_site(), {"kind": learner, **LEAVING.get(learner, {})}
    inner, predictions = kept(site, settings, tmp_path)
    row = sender(site, tmp_path).export(inner, tmp_path / "out", predictions)
    assert row["exported"] == "yes", row["reason"]
    there, here = read_bundle(tmp_path / "out", VOCABULARY), read_bundle(inner)
    rows = np.arange(60)
    found, expected = (
        family_of(each).predict(family_of(each).read(each.folder), site, rows)
        for each in (there, here)
    )
    np.testing.assert_array_equal(found, expected)
    for file in (tmp_path / "out").iterdir():
        content = file.read_bytes()
        for word in (b"visit-", b"person-"):
            assert word not in content, file.name
    assert_no_array_of_patients(there.folder, site)
    assert_no_small_count(there.folder)
    card = there.card
    assert card.performance is not None
    assert card.performance["estimates"]["auroc"]["lower"] < card.performance["auroc"]
    assert card.use == {"licence": "CC BY 4.0", "intended_use": "research"} | {
        "limits": ["One hospital."]
    }
    assert all(each and set(each) == {"slope", "intercepts"} for each in card.calibration)


def assert_no_array_of_patients(folder: Path, site: Site) -> None:
    """No axis is as long as any set of the encounters."""
    train, validation = site.split.source_parts()
    lengths = {len(site.labels), len(train), len(validation), len(train) + len(validation)}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            for name in list(tensors.keys()):
                assert not lengths & set(tensors.get_slice(name).get_shape()), name


def assert_no_small_count(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    for told in card["data"].values():
        counts = [told["encounters"], *(told["classes"] or {}).values()]
        assert all(count is None or count >= SMALL for count in counts)
    for record in card["replicates"]:
        positives, train = record["positives"], record["train"]
        assert train is None or train >= SMALL
        assert positives is None or SMALL <= positives <= train - SMALL


@pytest.mark.parametrize("learner", sorted(LEAVING))
def test_a_model_that_tells_small_counts_stays(learner: str, tmp_path: Path) -> None:
    site = a_site()
    inner, predictions = kept(site, {"kind": learner}, tmp_path)
    row = sender(site, tmp_path).export(inner, tmp_path / "out", predictions)
    (key,) = LEAVING[learner]
    assert row["exported"] == "no"
    assert f"`{key}: {SMALL}`" in row["reason"]
    assert not (tmp_path / "out").exists()
    with pytest.raises(StudyError, match=f"no model of the study may leave.*{key}"):
        index_text([row])


def test_a_learner_that_does_not_say_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = a_site()
    inner, predictions = kept(site, {"kind": "logistic"}, tmp_path)
    monkeypatch.setitem(LEARNERS._loaded, "logistic", replace(LEARNERS["logistic"], leaves=None))
    row = sender(site, tmp_path).export(inner, tmp_path / "out", predictions)
    assert "its record has no `leaves`" in row["reason"]


@pytest.mark.parametrize("learner", sorted(n for n, each in LEARNERS.items() if not each.leaves))
def test_models_of_documents_stay(learner: str, tmp_path: Path) -> None:
    assert LEARNERS[learner].reads == "text"
    site = a_site()
    inner, predictions = kept(site, {"kind": learner}, tmp_path)
    row = sender(site, tmp_path).export(inner, tmp_path / "out", predictions)
    assert row["exported"] == "no"
    assert not (tmp_path / "out").exists()


def test_models_of_few_encounters_stay(tmp_path: Path) -> None:
    site = a_site()
    inner, predictions = kept(site, {"kind": "logistic"}, tmp_path, "10")
    row = sender(site, tmp_path).export(inner, tmp_path / "out", predictions)
    assert "fewer than 11 encounters" in row["reason"]


def test_what_was_measured_on_few_is_not_told(tmp_path: Path) -> None:
    site = a_site(60)
    inner, predictions = kept(site, {"kind": "logistic"}, tmp_path)
    assert (np.bincount(site.labels[site.split.fold == 0]) < SMALL).any()
    row = sender(site, tmp_path).export(inner, tmp_path / "out", predictions)
    assert row["exported"] == "yes"
    card = read_card(tmp_path / "out")
    assert card.performance == {
        "auroc": None,
        "auroc_by_replicate": {},
        "tested": "on encounters held out",
    }
    assert card.data["hospital"]["classes"] is None
    assert card.encounters is None
    assert_no_small_count(tmp_path / "out")


@given(st.integers(0, 2**32), st.sampled_from([40, 90, 300]), st.floats(0.02, 0.98))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_a_description_tells_no_count_of_few(seed: int, count: int, prevalence: float) -> None:
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < prevalence).astype(np.int8)
    labels[:2] = 0, 1
    tested = rng.random(count) < rng.choice([0.05, 0.3, 0.6])
    site = make_site("hospital", np.where(tested, 0, -1), rng.random(count) < 0.2, 0, labels)
    site = replace(site, cohort=replace(site.cohort, labels=labels))
    hospital = hospital_of(site)
    told = hospital.described(VOCABULARY, SMALL)
    offered = ~tested
    parts = [offered.sum(), tested.sum()]
    if min(part for part in parts if part) < SMALL:
        assert set(told.values()) == {None}
        return
    assert told["encounters"] == offered.sum()
    cells = [
        ((labels == k) & part).sum() for k in (0, 1) for part in (offered, tested) if part.any()
    ]
    if min(cells) < SMALL:
        assert told["classes"] is None
        assert told["prevalence"] is None
    else:
        assert list(told["classes"].values()) == [cells[0], cells[len(cells) // 2]]
        assert told["prevalence"] == pytest.approx(labels[offered].mean(), abs=6e-4)
    for category, share in told["recorded"].items():
        tokens = {t for t, own in enumerate(VOCABULARY.categories) if own == category}
        findings = site.inputs["findings"]
        holding = sum(bool(tokens & set(findings[row].tolist())) for row in np.flatnonzero(offered))
        rest = offered.sum() - holding
        assert (share is None) == any(0 < part < SMALL for part in (holding, rest))
        assert share is None or share == pytest.approx(holding / offered.sum(), abs=6e-4)
    years = np.array(
        [int(str(d)[:4]) for d in hospital.extract.encounters.table["time"].to_pylist()]
    )
    known = [year for year in set(years) if (years[offered] == year).sum() >= SMALL]
    assert told["years"] == ([min(known), max(known)] if known else None)
