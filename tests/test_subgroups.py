"""Groups of encounters, and performance in each of them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from evaluation_data import a_cell, clustered_scores, predictions
from sklearn.metrics import brier_score_loss, roc_auc_score

from concept_transfer.cohorts.encounters import Encounters, encounter_table
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.evaluation.delong import variance
from concept_transfer.evaluation.subgroups import subgroup_rows
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.evaluation import Evaluation
from concept_transfer.sites.extract import Extract
from concept_transfer.sites.subgroups import subgroups_of

SETTINGS = Evaluation(draws=100)


def vocabulary() -> Vocabulary:
    rows = [
        ("C1", "cough", "finding", "present", "cough"),
        ("years", "age group", "age", "child", "a child"),
        ("years", "age group", "age", "adult", "an adult"),
    ]
    return Vocabulary(*zip(*rows, strict=True))


def test_age_and_calendar_year_make_groups() -> None:
    table = encounter_table(
        encounter=["a", "b", "c", "d"],
        cluster=["a", "b", "c", "d"],
        label=[0, 1, 0, 1],
        time=[date(2019, 12, 31), date(2020, 1, 1), None, None],
    )
    extract = Extract(
        Encounters(table),
        {"findings": CompressedRows(np.array([0, 2, 3, 4, 4]), np.array([0, 1, 2, 0], np.int32))},
        {},
    )
    groups = subgroups_of(extract, vocabulary())
    assert groups["age group"].tolist() == ["child", "adult", "not recorded", "not recorded"]
    assert groups["period"].tolist() == ["2019", "2020", "not recorded", "not recorded"]


def test_what_is_the_same_for_all_makes_no_group() -> None:
    table = encounter_table(encounter=["a", "b"], cluster=["a", "b"], label=[0, 1])
    extract = Extract(
        Encounters(table),
        {"findings": CompressedRows(np.array([0, 1, 2]), np.array([1, 1], np.int32))},
        {},
    )
    assert subgroups_of(extract, vocabulary()) == {}


def test_estimates_equal_scikit_learn_within_each_group() -> None:
    rng = np.random.default_rng(1)
    ids, labels, p = clustered_scores(rng, 200, 3, 2)
    cell = predictions(a_cell(), labels, p[0])
    group = np.where(np.arange(600) % 3 == 0, "x", "y")
    rows = {
        (row["group"], row["metric"]): row
        for row in subgroup_rows(cell, {"letter": group}, ids, SETTINGS)
    }
    for name in ("x", "y"):
        own = group == name
        truth = {
            "auroc": np.mean([roc_auc_score(labels[own], row[own]) for row in cell.probability]),
            "brier": np.mean([brier_score_loss(labels[own], r[own]) for r in cell.probability]),
            "observed_minus_predicted": labels[own].mean() - cell.probability[:, own].mean(),
        }
        for metric, value in truth.items():
            row = rows[name, metric]
            assert row["estimate"] == pytest.approx(value, abs=1e-6)
            assert row["lower"] < row["estimate"] < row["upper"]
            assert row["encounters"] == own.sum()
            assert row["positives"] == labels[own].sum()


def interval_width(ids: np.ndarray, labels: np.ndarray, p: np.ndarray) -> float:
    cell = predictions(a_cell(), labels, p)
    everyone = {"all": np.full(len(labels), "all")}
    row = next(r for r in subgroup_rows(cell, everyone, ids, SETTINGS) if r["metric"] == "auroc")
    odds = [np.log(row[name] / (1 - row[name])) for name in ("lower", "upper")]
    return (odds[1] - odds[0]) / (2 * 1.96) * row["estimate"] * (1 - row["estimate"])


def test_single_encounters_have_delongs_standard_error() -> None:
    from concept_transfer.evaluation.delong import placements

    rng = np.random.default_rng(2)
    ids, labels, p = clustered_scores(rng, 3000, 1, 1)
    expected = variance(labels, placements(labels, p[0][0].astype(np.float32))) ** 0.5
    assert interval_width(ids, labels, p[0]) == pytest.approx(expected, rel=0.01)


def test_intervals_cover_the_truth_with_clusters_and_replicates() -> None:
    """The truth is the mean over the studies; the intervals may err on the safe side."""
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(300):
        ids, labels, p = clustered_scores(rng, 120, 4, 4)
        cell = predictions(a_cell(), labels, p[0])
        everyone = {"all": np.full(len(labels), "all")}
        rows.append(next(iter(subgroup_rows(cell, everyone, ids, SETTINGS))))
    truth = np.mean([row["estimate"] for row in rows])
    covered = np.mean([row["lower"] <= truth <= row["upper"] for row in rows])
    assert 0.93 <= covered <= 0.995


def test_a_group_of_one_class_has_no_auroc() -> None:
    labels = np.array([0, 0, 1, 1, 0])
    cell = predictions(a_cell(), labels, np.linspace(0.1, 0.9, 5)[None])
    group = np.array(["x", "x", "y", "y", "y"])
    found = list(subgroup_rows(cell, {"letter": group}, np.arange(5).astype(str), SETTINGS))
    assert {row["metric"] for row in found if row["group"] == "x"} == {
        "brier",
        "observed_minus_predicted",
    }
    assert {(row["group"], row["flag"]) for row in found} == {
        ("x", "few positives"),
        ("y", "few negatives"),
    }


def test_a_cell_without_a_usable_replicate_has_no_estimate() -> None:
    labels = np.array([0, 1, 0, 1])
    cell = predictions(a_cell(), labels, np.full((2, 4), np.nan))
    group = np.array(["x", "x", "y", "y"])
    for row in subgroup_rows(cell, {"letter": group}, np.arange(4).astype(str), SETTINGS):
        assert np.isnan(row["estimate"])
