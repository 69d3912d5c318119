"""Outcomes of more than two classes, from predictions to comparisons."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation_data import a_cell, encounter_ids, predictions
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    log_loss,
    roc_auc_score,
)

from concept_transfer.comparison.comparisons import comparison_rows
from concept_transfer.comparison.contrasts import Contrast
from concept_transfer.comparison.reversal import reversal_warnings
from concept_transfer.errors import StudyError
from concept_transfer.evaluation.cell_predictions import CellPredictions, read_predictions
from concept_transfer.evaluation.delong import auroc, placements, variance
from concept_transfer.evaluation.evaluate import TargetEvaluation, evaluate_cells
from concept_transfer.evaluation.metrics import (
    OF_ALL,
    OF_CLASS,
    condense_classes,
    metrics_of_all,
    no_skill_of_all,
    weighted_metrics,
    weighted_metrics_of_classes,
)
from concept_transfer.evaluation.metrics.condensed import condense
from concept_transfer.evaluation.results import read_results
from concept_transfer.settings.evaluation import Evaluation

NAMES = ("influenza", "RSV", "other virus")
SHARES = (0.5, 0.3, 0.2)


def sample(
    rng: np.random.Generator,
    n: int,
    replicates: int = 1,
    separation: float = 1.0,
    shares: tuple[float, ...] = SHARES,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels [n] and probabilities [replicates, n, classes] that know something of them."""
    classes = len(shares)
    labels = rng.choice(classes, size=n, p=shares).astype(np.int8)
    shown = separation * np.eye(classes)[labels] + rng.normal(size=(n, classes))
    scores = shown + 0.3 * rng.normal(size=(replicates, n, classes))
    odds = np.exp(scores - 0.5)
    return labels, (odds / odds.sum(axis=2, keepdims=True)).astype(np.float32)


def by_hand(labels: np.ndarray, p: np.ndarray) -> dict[str, float]:
    truth = np.eye(p.shape[1])[labels]
    vote = p.argmax(axis=1)
    return {
        "auroc": roc_auc_score(labels, p, multi_class="ovr", average="macro"),
        "auprc": float(
            np.mean([average_precision_score(truth[:, k], p[:, k]) for k in range(p.shape[1])])
        ),
        "brier": float(((p - truth) ** 2).sum(axis=1).mean()),
        "log_loss": log_loss(labels, p, labels=range(p.shape[1])),
        "accuracy": accuracy_score(labels, vote),
        "macro_f1": f1_score(labels, vote, average="macro"),
    }


def normalized(p: np.ndarray) -> np.ndarray:
    return p.astype(np.float64) / p.astype(np.float64).sum(axis=-1, keepdims=True)


def test_metrics_of_all_classes_equal_scikit_learn() -> None:
    labels, p = sample(np.random.default_rng(1), 300)
    p = normalized(p[0])
    p = np.round(p * 20) / 20 + 1e-3  # ties
    p = normalized(p)
    expected = by_hand(labels, p)
    assert metrics_of_all(labels, p) == pytest.approx(expected, abs=1e-9)


def test_a_draw_equals_scikit_learn_on_the_repeated_encounters() -> None:
    rng = np.random.default_rng(2)
    labels, p = sample(rng, 120)
    p, unit = normalized(p[0]), np.arange(120) // 2
    weights = rng.integers(0, 3, size=(60, 4)).astype(float)
    drawn = weighted_metrics_of_classes(condense_classes(labels, p, unit), weights)
    assert drawn.shape == (len(OF_ALL) + 3 * len(OF_CLASS), 4)
    for draw, counts in enumerate(weights.T):
        rows = np.repeat(np.arange(120), counts[unit].astype(int))
        expected = by_hand(labels[rows], p[rows])
        got = dict(zip(OF_ALL, drawn[: len(OF_ALL), draw].tolist(), strict=True))
        assert got == pytest.approx(expected, abs=1e-9)


def test_each_class_is_measured_as_one_of_two_is() -> None:
    labels, p = sample(np.random.default_rng(3), 200)
    p, weights = normalized(p[0]), np.ones((200, 1))
    drawn = weighted_metrics_of_classes(condense_classes(labels, p), weights)[len(OF_ALL) :, 0]
    for k, of_class in enumerate(drawn.reshape(3, len(OF_CLASS))):
        binary = weighted_metrics(condense((labels == k).astype(np.int8), p[:, k]), weights)[:, 0]
        np.testing.assert_array_equal(of_class, binary[[0, 1, 2, 3, 4, 7, 8]])


def test_macro_means_are_over_the_classes_that_are_there() -> None:
    labels, p = sample(np.random.default_rng(4), 200)
    p = normalized(p[0])
    there = labels != 2
    values = metrics_of_all(labels[there], p[there])
    areas = [roc_auc_score(labels[there] == k, p[there][:, k]) for k in (0, 1)]
    assert values["auroc"] == pytest.approx(np.mean(areas), abs=1e-9)
    f1 = f1_score(labels[there], p[there].argmax(axis=1), labels=[0, 1], average="macro")
    assert values["macro_f1"] == pytest.approx(f1, abs=1e-9)
    assert auroc(labels[there], p[there]) == pytest.approx(np.mean(areas))


def test_no_skill_is_what_the_prevalences_reach() -> None:
    labels, _ = sample(np.random.default_rng(5), 500)
    shares = np.bincount(labels) / len(labels)
    constant = np.tile(shares, (len(labels), 1))
    reached = metrics_of_all(labels, constant)
    assert no_skill_of_all(labels, 3) == pytest.approx(reached, abs=1e-12)


def test_within_folds_each_class_is_ranked_by_its_own_model() -> None:
    rng = np.random.default_rng(6)
    labels, p = sample(rng, 300)
    fold = rng.integers(3, size=300)
    p = normalized(p[0] ** (1.0 + fold[:, None]))
    areas = []
    for k in range(3):
        parts = [(labels[fold == f] == k, p[fold == f, k]) for f in range(3)]
        pairs = [y.sum() * (~y).sum() for y, _ in parts]
        areas.append(np.average([roc_auc_score(y, s) for y, s in parts], weights=pairs))
    values = metrics_of_all(labels, p, fold)
    assert values["auroc"] == pytest.approx(np.mean(areas), abs=1e-9)
    assert auroc(labels, p, fold) == pytest.approx(np.mean(areas), abs=1e-9)


def test_the_variance_of_macro_auroc_is_that_of_a_slow_bootstrap() -> None:
    rng = np.random.default_rng(7)
    labels, p = sample(rng, 400)
    analytic = variance(labels, placements(labels, p[0]))
    drawn = []
    for _ in range(600):
        rows = rng.integers(400, size=400)
        drawn.append(
            roc_auc_score(labels[rows], normalized(p[0][rows]), multi_class="ovr", average="macro")
        )
    assert analytic == pytest.approx(np.var(drawn), rel=0.2)
    each = [variance((labels == k), placements(labels == k, p[0][:, k])) for k in range(3)]
    assert analytic < np.mean(each)  # classes are told apart by partly different encounters


def many(
    rng: np.random.Generator, n: int = 400, replicates: int = 5, **changes: str
) -> CellPredictions:
    labels, p = sample(rng, n, replicates)
    held = n // 4
    return predictions(a_cell(**changes), labels[held:], p[:, held:], (labels[:held], p[:, :held]))


def evaluated(cells: list[CellPredictions], clusters: int = 1, **settings: int) -> TargetEvaluation:
    n = len(cells[0].labels)
    cluster = np.array([f"c{i // clusters:05d}" for i in range(n)])
    chosen = Evaluation(draws=200, **settings)
    return evaluate_cells(cells, encounter_ids(cells[0]), cluster, chosen, 1, {}, NAMES)


def test_a_cell_has_estimates_of_all_classes_and_of_each() -> None:
    cell = many(np.random.default_rng(8))
    result = evaluated([cell])
    frame = result.estimates.to_pandas()
    whole = frame[frame["class"] == ""].set_index("metric")
    expected = [by_hand(cell.labels, normalized(p)) for p in cell.probability]
    for name in OF_ALL:
        assert whole.loc[name, "estimate"] == pytest.approx(
            np.mean([values[name] for values in expected]), abs=1e-6
        )
        assert whole.loc[name, "lower"] < whole.loc[name, "estimate"] < whole.loc[name, "upper"]
    assert whole.loc["auroc", "method"] == "DeLong"
    counts = np.bincount(cell.labels)
    assert set(whole["positives"]) == {counts.min()}
    for k, name in enumerate(NAMES):
        own = frame[frame["class"] == name].set_index("metric")
        areas = [roc_auc_score(cell.labels == k, p[:, k]) for p in cell.probability]
        assert own.loc["auroc", "estimate"] == pytest.approx(np.mean(areas))
        assert set(own["positives"]) == {counts[k]}
        assert set(OF_CLASS) <= set(own.index) <= {*OF_CLASS, *THRESHOLDS}
        assert "brier" not in own.index
    curves = result.calibration.to_pandas()
    assert curves.groupby("class", sort=False)["encounters"].sum().to_dict() == dict.fromkeys(
        NAMES, len(cell.labels)
    )
    values = result.replicates.to_pandas()
    seen = values[(values["partition"] == "validation") & (values["metric"] == "auroc")]
    held = [auroc(v.labels, v.probability) for v in cell.validation]
    np.testing.assert_allclose(seen["value"], held)


THRESHOLDS = ("sensitivity_at_validated_90", "specificity_at_validated_90")


def test_clustered_encounters_get_the_bootstrap_of_their_clusters() -> None:
    rng = np.random.default_rng(9)
    cell = many(rng)
    frame = evaluated([cell], clusters=3).estimates.to_pandas()
    row = frame[(frame["class"] == "") & (frame["metric"] == "auroc")].iloc[0]
    assert row["method"] == "cluster bootstrap"
    unit = np.arange(len(cell.labels)) // 3
    slow = []
    for _ in range(300):
        picked = rng.integers(unit.max() + 1, size=unit.max() + 1)
        rows = np.concatenate([np.flatnonzero(unit == u) for u in picked])
        slow.append(np.mean([auroc(cell.labels[rows], p[rows]) for p in cell.probability]))
    assert row["sampling_se"] == pytest.approx(np.std(slow), rel=0.25)


def test_intervals_of_macro_auroc_cover() -> None:
    rng = np.random.default_rng(10)
    truth = auroc(*(x[0] if x.ndim == 3 else x for x in sample(rng, 100_000)))
    covered = 0
    for _ in range(150):
        labels, p = sample(rng, 150)
        frame = evaluated([predictions(a_cell(), labels, p)]).estimates.to_pandas()
        row = frame[(frame["class"] == "") & (frame["metric"] == "auroc")].iloc[0]
        covered += row["lower"] <= truth <= row["upper"]
    assert 0.90 <= covered / 150 <= 0.99


def test_a_class_that_the_test_set_lacks_has_no_numbers() -> None:
    labels, p = sample(np.random.default_rng(11), 300, 2)
    there = labels != 1
    cell = predictions(a_cell(), labels[there], p[:, there])
    frame = evaluated([cell]).estimates.to_pandas()
    lacking = frame[frame["class"] == "RSV"]
    assert lacking["estimate"].isna().all()
    assert set(lacking["positives"]) == {0}
    assert set(lacking["flag"]) == {"few positives"}
    whole = frame[(frame["class"] == "") & (frame["metric"] == "auroc")].iloc[0]
    areas = [roc_auc_score(cell.labels == k, q[:, k]) for q in cell.probability for k in (0, 2)]
    assert whole["estimate"] == pytest.approx(np.mean(areas))
    assert whole["lower"] < whole["estimate"] < whole["upper"]
    assert (whole["flag"], whole["positives"]) == ("", 0)


def test_the_rarest_class_keeps_a_cell_out_of_headlines() -> None:
    labels, p = sample(np.random.default_rng(12), 300, 2)
    few = np.flatnonzero(labels == 2)[7:]
    rows = np.setdiff1d(np.arange(300), few)
    frame = evaluated([predictions(a_cell(), labels[rows], p[:, rows])]).estimates.to_pandas()
    flags = frame.groupby("class")["flag"].unique().map(list).to_dict()
    assert flags == {
        "": ["few of other virus"],
        "influenza": [""],
        "RSV": [""],
        "other virus": ["few positives"],
    }


def test_groups_have_macro_auroc_and_the_brier_score_of_all_classes() -> None:
    cell = many(np.random.default_rng(13))
    age = np.array(["child", "adult"])[np.arange(len(cell.labels)) % 2]
    clusters = np.arange(len(cell.labels)).astype(str)
    result = evaluate_cells(
        [cell], encounter_ids(cell), clusters, Evaluation(draws=100), 1, {"age": age}, NAMES
    )
    frame = result.subgroups.to_pandas()
    assert set(frame["metric"]) == {"auroc", "brier"}
    for name, rows in (("child", age == "child"), ("adult", age == "adult")):
        expected = [by_hand(cell.labels[rows], normalized(p[rows])) for p in cell.probability]
        for metric in ("auroc", "brier"):
            row = frame[(frame["group"] == name) & (frame["metric"] == metric)].iloc[0]
            mean = np.mean([values[metric] for values in expected])
            assert row["estimate"] == pytest.approx(mean, abs=1e-6)
            assert row["lower"] < mean < row["upper"]
            assert row["positives"] == np.bincount(cell.labels[rows]).min()


def test_macro_auroc_is_compared_in_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    labels, p = sample(rng, 500, 5, separation=1.5)
    worse = normalized(np.exp(np.log(p) + 0.8 * rng.normal(size=p.shape[1:])))
    cells = [
        predictions(a_cell(strategy="full"), labels, p),
        predictions(a_cell(strategy="direct", size="0"), labels, worse),
    ]
    evaluated(cells).write(tmp_path)
    results = read_results([tmp_path])
    contrast = Contrast("tuning", (cells[0].cell,), (cells[1].cell,))
    rows = comparison_rows([contrast], results, Evaluation(draws=200), {})
    assert [row["metric"] for row in rows] == list(OF_ALL)
    tested = rows[0]
    assert [row["verdict"] for row in rows] == ["better", *[""] * 5]
    slow = []
    for _ in range(300):
        picked = rng.integers(500, size=500)
        slow.append(
            np.mean([auroc(labels[picked], a[picked]) for a in p])
            - np.mean([auroc(labels[picked], b[picked]) for b in worse])
        )
    assert tested["test"] == "DeLong"
    assert tested["standard_error"] == pytest.approx(np.std(slow), rel=0.2)
    difference = np.mean(
        [auroc(labels, a) - auroc(labels, b) for a, b in zip(p, worse, strict=True)]
    )
    assert tested["difference"] == pytest.approx(difference, abs=1e-6)
    assert rows[list(OF_ALL).index("brier")]["reach"] == 2


def test_exchanged_classes_are_warned_of(tmp_path: Path) -> None:
    labels, p = sample(np.random.default_rng(15), 500, 3, separation=2)
    turned = predictions(a_cell(strategy="direct", size="0"), labels, p[..., [1, 2, 0]])
    evaluated([turned]).write(tmp_path)
    said = reversal_warnings(read_results([tmp_path]))
    assert len(said) == 1
    assert "classes exchanged" in said[0]


def write_many(path: Path, labels: np.ndarray, p: np.ndarray) -> Path:
    n, classes = p.shape
    table = pa.table(
        {
            "replicate": pa.array([0] * n, pa.int16()),
            "fold": pa.array([0] * n, pa.int16()),
            "partition": ["test"] * n,
            "encounter": [f"e{i}" for i in range(n)],
            "label": pa.array(labels, pa.int8()),
            **{f"probability_{k}": pa.array(p[:, k], pa.float32()) for k in range(classes)},
        }
    )
    records = [{"replicate": 0, "fold": 0, "status": "ok"}]
    metadata = {"cell": json.dumps(a_cell().as_dict()), "replicates": json.dumps(records)}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def test_predictions_hold_a_probability_a_class(tmp_path: Path) -> None:
    labels, p = sample(np.random.default_rng(16), 9)
    cell = read_predictions([write_many(tmp_path / "0.parquet", labels, p[0])])
    assert cell.classes == 3
    np.testing.assert_array_equal(cell.probability, p)
    np.testing.assert_array_equal(cell.labels, labels)
    one = cell.of_class(2)
    np.testing.assert_array_equal(one.labels, labels == 2)
    np.testing.assert_array_equal(one.probability, p[..., 2])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda labels, p: (labels, p / 2), "do not sum to 1"),
        (lambda labels, p: (labels + 1, p), "label that .* not among 0 to 2"),
        (lambda labels, p: (labels, p + np.array([0.7, -0.7, 0.0])), "probability outside 0 to 1"),
        (lambda labels, p: (labels, p[:, :2]), "lacks the column 'probability_2'"),
    ],
)
def test_predictions_of_other_classes_are_refused(tmp_path: Path, change, said: str) -> None:
    labels, p = sample(np.random.default_rng(17), 30)
    with pytest.raises(StudyError, match=said):
        read_predictions([write_many(tmp_path / "0.parquet", *change(labels, p[0]))])


def test_cells_of_another_number_of_classes_are_refused() -> None:
    cell = many(np.random.default_rng(18), 80, 1)
    with pytest.raises(StudyError, match=r"3 classes, but task\.classes has 2"):
        evaluate_cells([cell], encounter_ids(cell), encounter_ids(cell), Evaluation(), 1)


def test_failed_replicates_are_left_out() -> None:
    cell = many(np.random.default_rng(19))
    p = cell.probability.copy()
    p[1] = np.nan
    frame = evaluated([replace(cell, probability=p)]).estimates.to_pandas()
    row = frame[(frame["class"] == "") & (frame["metric"] == "auroc")].iloc[0]
    assert (row["replicates"], row["not_estimable"]) == (4, 1)
    nothing = evaluated([replace(cell, probability=np.full_like(p, np.nan))])
    assert nothing.estimates.to_pandas()["estimate"].isna().all()
