"""The cluster bootstrap: what is drawn, that it is paired, and that its intervals cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from evaluation_data import a_cell, clustered_scores, encounter_ids, predictions, true_auroc
from scipy.stats import norm
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from concept_transfer.errors import StudyError
from concept_transfer.evaluation.bootstrap import CellDraws, draw_cell, resample
from concept_transfer.evaluation.cell_predictions import CellPredictions, LabelledPredictions
from concept_transfer.evaluation.cell_rows import replicate_rows
from concept_transfer.evaluation.delong import placements, variance
from concept_transfer.evaluation.evaluate import evaluate_cells
from concept_transfer.evaluation.intervals import variance_of
from concept_transfer.evaluation.metrics import METRICS, condense, weighted_metrics
from concept_transfer.settings.evaluation import Evaluation

ONE_FOLD = np.zeros(1000, np.int16)
AUROC, AUPRC, BRIER = (list(METRICS).index(name) for name in ("auroc", "auprc", "brier"))


def test_draws_depend_on_seed_target_and_clusters_only() -> None:
    ids = np.array(["b", "a", "c", "a"])
    first = resample(ids, ONE_FOLD[: len(ids)], np.arange(3), 50, 1, "south")
    again = resample(ids[::-1], ONE_FOLD[:4], np.arange(3), 50, 1, "south")
    assert first.digest == again.digest
    np.testing.assert_array_equal(first.clusters, again.clusters)
    np.testing.assert_array_equal(first.unit[::-1], again.unit)
    for other in (
        resample(ids, ONE_FOLD[: len(ids)], np.arange(3), 50, 2, "south"),
        resample(ids, ONE_FOLD[: len(ids)], np.arange(3), 50, 1, "north"),
    ):
        assert other.digest != first.digest
        assert (other.clusters != first.clusters).any()


def test_a_draw_takes_one_unit_fewer_than_there_are() -> None:
    sample = resample(np.arange(30).astype(str), ONE_FOLD[:30], np.arange(10), 200, 1, "south")
    assert (sample.clusters.sum(axis=0) == 29).all()
    assert (sample.replicates.sum(axis=0) == 9).all()
    assert sample.clusters.mean(axis=1) == pytest.approx(np.full(30, 29 / 30), abs=0.35)
    alone = resample(np.arange(30).astype(str), ONE_FOLD[:30], np.array([4]), 200, 1, "south")
    assert (alone.replicates == 1).all()


def test_parts_are_random_halves_or_the_folds() -> None:
    ids = np.repeat([f"p{i:02d}" for i in range(30)], 2)
    halves = resample(ids, ONE_FOLD[:60], np.arange(2), 20, 1, "south").parts
    assert halves.shape == (30, 100)
    assert (halves.sum(axis=0) == 15).all()
    assert (halves[:, ::2] != halves[:, 1::2]).all()
    fold = np.repeat(np.arange(30) % 3, 2)
    folds = resample(ids, fold, np.arange(2), 20, 1, "south").parts
    np.testing.assert_array_equal(folds, (np.arange(30) % 3)[:, None] == np.arange(3))


def test_a_draw_equals_scikit_learn_on_the_repeated_encounters() -> None:
    rng = np.random.default_rng(2)
    ids, labels, p = clustered_scores(rng, 40, 4, 3)
    sample = resample(ids, ONE_FOLD[: len(ids)], np.arange(3), 20, 1, "south")
    condensed = [condense(labels, row, sample.unit, 40) for row in p[0]]
    drawn = draw_cell(condensed, np.arange(3), sample, 0.1)
    for draw in range(20):
        rows = np.repeat(np.arange(160), sample.clusters[sample.unit, draw])
        reached = np.array(
            [
                [score(labels[rows], row[rows]) for row in p[0]]
                for score in (roc_auc_score, average_precision_score, brier_score_loss)
            ]
        )
        metrics = [AUROC, AUPRC, BRIER]
        assert drawn.sampling[metrics, draw] == pytest.approx(reached.mean(axis=1), abs=1e-5)
        picked = reached @ (sample.replicates[:, draw] / 2)
        assert drawn.crossed[metrics, draw] == pytest.approx(picked, abs=1e-5)


def test_draws_of_one_class_are_counted_and_left_out() -> None:
    rng = np.random.default_rng(3)
    labels = np.zeros(40, np.int8)
    labels[:2] = 1
    cell = predictions(a_cell(), labels, rng.random((2, 40)))
    ids = encounter_ids(cell)
    found = evaluate_cells([cell], ids, ids, Evaluation(draws=400), 1)
    rows = {row["metric"]: row for row in found.estimates.to_pylist()}
    expected = 400 * (1 - 2 / 40) ** 39
    assert rows["auroc"]["undefined_draws"] == pytest.approx(expected, rel=0.35)
    assert rows["brier"]["undefined_draws"] == 0
    assert rows["auroc"]["flag"] == "few positives"
    assert 0 <= rows["auroc"]["lower"] <= rows["auroc"]["estimate"] <= rows["auroc"]["upper"] <= 1


def test_failed_replicates_are_counted_and_left_out_of_the_mean() -> None:
    rng = np.random.default_rng(4)
    ids, labels, p = clustered_scores(rng, 60, 2, 4)
    p[0, 2] = np.nan
    whole = predictions(a_cell(), labels, p[0])
    found = evaluate_cells([whole], encounter_ids(whole), ids, Evaluation(draws=100), 1)
    row = found.estimates.to_pylist()[0]
    assert (row["replicates"], row["not_estimable"]) == (3, 1)
    kept = [roc_auc_score(labels, q) for q in p[0, [0, 1, 3]]]
    assert row["estimate"] == pytest.approx(np.mean(kept), abs=1e-6)
    assert row["replicate_sd"] == pytest.approx(np.std(kept, ddof=1), abs=1e-6)
    assert set(found.replicates["replicate"].to_pylist()) == {0, 1, 3}
    wild = replace(whole, records=({"replicate": 2, "fold": 0, "status": "diverged"},))
    told = evaluate_cells([wild], encounter_ids(whole), ids, Evaluation(draws=100), 1)
    row = told.estimates.to_pylist()[0]
    assert (row["replicates"], row["not_estimable"], row["diverged"]) == (3, 0, 1)
    nothing = predictions(a_cell(), labels, np.full((4, 120), np.nan))
    empty = evaluate_cells([nothing], encounter_ids(whole), ids, Evaluation(draws=100), 1)
    row = empty.estimates.to_pylist()[0]
    assert np.isnan(row["estimate"])
    assert row["not_estimable"] == 4


def test_cells_of_different_test_sets_or_splits_are_refused() -> None:
    rng = np.random.default_rng(5)
    labels = (rng.random(20) < 0.5).astype(np.int8)
    one = predictions(a_cell(), labels, rng.random((1, 20)))
    two = predictions(a_cell(strategy="direct"), labels[:19], rng.random((1, 19)))
    ids = encounter_ids(one)
    with pytest.raises(StudyError, match="not tested on the same encounters"):
        evaluate_cells([one, two], ids, ids, Evaluation(draws=100), 1)
    with pytest.raises(StudyError, match=r"1 test encounters .* not in the split of south"):
        evaluate_cells([one], ids[1:], ids[1:], Evaluation(draws=100), 1)


def test_clustered_intervals_cover_and_naive_ones_do_not() -> None:
    rng = np.random.default_rng(6)
    studies, covered, naive = 300, 0, 0
    for study in range(studies):
        ids, labels, p = clustered_scores(rng, 60, 10, 3, epidemic=True)
        cell = predictions(a_cell(), labels, p[0])
        found = evaluate_cells([cell], encounter_ids(cell), ids, Evaluation(draws=200), study)
        row = found.estimates.to_pylist()[AUROC]
        assert row["method"] == "cluster bootstrap"
        covered += row["lower"] <= true_auroc() <= row["upper"]
        placement = np.mean([placements(labels, q) for q in p[0]], axis=0)
        spread = row["replicate_sd"] ** 2 / 3 + variance(labels, placement)
        naive += abs(row["estimate"] - true_auroc()) < 1.96 * spread**0.5
    error = np.sqrt(0.05 * 0.95 / studies)
    assert covered / studies == pytest.approx(0.95, abs=3 * error)
    assert naive < covered - 2 * error * studies


def test_independent_encounters_get_delong_intervals_that_agree_with_the_bootstrap() -> None:
    rng = np.random.default_rng(7)
    ids, labels, p = clustered_scores(rng, 1500, 1, 5)
    cell = predictions(a_cell(), labels, p[0])
    found = evaluate_cells([cell], encounter_ids(cell), ids, Evaluation(draws=1000), 1)
    row = found.estimates.to_pylist()[AUROC]
    assert row["method"] == "DeLong"
    drawn = found.draws["sampling_draws"][0, AUROC]
    assert row["sampling_se"] == pytest.approx(drawn.std(), rel=0.1)


def test_variance_counts_the_interaction_of_encounters_and_replicates_once() -> None:
    """Against the spread of the estimate over many simulated studies."""
    rng = np.random.default_rng(8)
    estimates, totals = [], []
    for study in range(250):
        labels = (rng.random(200) < 0.2).astype(np.int8)
        shared, own = rng.normal(size=200), rng.normal(size=(4, 200))
        scores = 1.5 * labels + np.sqrt(0.3) * shared + np.sqrt(0.7) * own
        sample = resample(
            np.arange(200).astype(str), ONE_FOLD[:200], np.arange(4), 150, study, "south"
        )
        condensed = [condense(labels, norm.cdf(row), sample.unit, 200) for row in scores]
        drawn = draw_cell(condensed, np.arange(4), sample, 0.1)
        spread = variance_of(drawn.observed[0], drawn.sampling[0], drawn.crossed[0], 200)
        estimates.append(drawn.observed[0].mean())
        totals.append(spread.total)
    assert np.mean(totals) == pytest.approx(np.var(estimates, ddof=1), rel=0.25)


def test_a_source_model_is_judged_on_the_labels_that_a_size_offers() -> None:
    """Its own file holds all validation rows; the draw of 200 held two of each class."""
    rng = np.random.default_rng(7)
    labels = (rng.random(40) < 0.4).astype(np.int8)
    held = (rng.random(60) < 0.5).astype(np.int8)
    scores, source_scores = rng.random((2, 60)), rng.random((2, 60))
    direct = predictions(
        a_cell(strategy="direct", size="0"), labels, rng.random((2, 40)), (held, source_scores)
    )
    tuned = predictions(a_cell(), labels, rng.random((2, 40)), (held, scores))
    drawn = [np.r_[np.flatnonzero(held == 0)[:2], np.flatnonzero(held)[:2]], np.arange(1)]
    part = [
        LabelledPredictions(
            s.encounters.take(pa.array(rows)), s.labels[rows], s.probability[rows], s.fold[rows]
        )
        for s, rows in zip(tuned.validation, drawn, strict=True)
    ]
    tuned = replace(tuned, validation=tuple(part))
    ids = encounter_ids(direct)
    found = evaluate_cells([direct, tuned], ids, ids, Evaluation(draws=100), 1).draws
    assert found["sizes"].tolist() == ["200"]
    rows = drawn[0]
    assert found["seen"][0, 0, 0, 0] == pytest.approx(
        roc_auc_score(held[rows], direct.validation[0].probability[rows])
    )
    assert found["seen"][1, 0, 0, 0] == pytest.approx(
        roc_auc_score(held[rows], tuned.validation[0].probability)
    )
    assert np.isnan(found["seen"][:, 1]).all()
    alone = evaluate_cells([direct], ids, ids, Evaluation(draws=100), 1).draws
    assert alone["sizes"].tolist() == ["all"]
    assert alone["seen"][0, 1, 0, 0] == pytest.approx(
        roc_auc_score(held, direct.validation[1].probability)
    )


def test_a_threshold_from_validation_is_applied_to_the_test_encounters() -> None:
    rng = np.random.default_rng(20)
    _, labels, (p,) = clustered_scores(rng, 600, 1, 2)
    held, scores = labels[:200], p[:, :200]
    cell = predictions(a_cell(), labels[200:], p[:, 200:], (held, scores))
    rows = replicate_rows(cell, _one_draw(cell), 0.1)
    values = {(r["replicate"], r["metric"]): r["value"] for r in rows if r["partition"] == "test"}
    for number in range(2):
        negatives = np.sort(scores[number][held == 0].astype(np.float32))
        lowest = min(t for t in negatives if (negatives > t).mean() <= 0.1)
        alert = p[number, 200:].astype(np.float32) > lowest
        own = labels[200:]
        assert values[number, "sensitivity_at_validated_90"] == pytest.approx(
            alert[own == 1].mean()
        )
        assert values[number, "specificity_at_validated_90"] == pytest.approx(
            1 - alert[own == 0].mean()
        )
    few = (np.array([0] * 9 + [1] * 9), np.tile(np.linspace(0, 1, 18), (2, 1)))
    without = predictions(a_cell(), labels[200:], p[:, 200:], few)
    found = {row["metric"] for row in replicate_rows(without, _one_draw(without), 0.1)}
    assert "sensitivity_at_validated_90" not in found


def _one_draw(cell: CellPredictions) -> CellDraws:
    """The observed metrics alone."""
    observed = [
        weighted_metrics(condense(cell.labels, p), np.ones((len(cell.labels), 1)))[:, 0]
        for p in cell.probability
    ]
    nothing = np.empty((len(METRICS), 0))
    return CellDraws(np.stack(observed, axis=1), nothing, nothing, np.empty((2, 0, 2)))
