"""How right findings from notes are, and what they cost, beside another library."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from concept_transfer.analysis.extraction import Recorded, findings_accuracy
from concept_transfer.analysis.extraction_cost import cost_rows
from concept_transfer.cell import Cell
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError
from concept_transfer.evaluation.cell_predictions import CellPredictions
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.evaluation import Evaluation

CONCEPTS = ("C1", "C1", "C2", "C3")
STATES = ("present", "absent", "present", "present")
VOCABULARY = Vocabulary(
    CONCEPTS, ("cough", "cough", "fever", "age"), ("finding",) * 4, STATES, ("",) * 4
)
SETTINGS = Evaluation(min_positives=11, small_cells=11)


def recorded(site: str, ids: list[str], matrix: np.ndarray) -> Recorded:
    tokens = [np.flatnonzero(row).astype(np.int32) for row in matrix]
    offsets = np.cumsum([0, *map(len, tokens)])
    encounters = np.array(ids, dtype=object)
    clusters = np.array([name[:3] for name in ids], dtype=object)
    return Recorded(site, encounters, clusters, CompressedRows(offsets, np.concatenate(tokens)))


def test_precision_and_recall_are_those_of_another_library() -> None:
    rng = np.random.default_rng(0)
    true = rng.random((300, 4)) < (0.4, 0.3, 0.2, 1.0)
    read = np.where(rng.random(true.shape) < 0.85, true, ~true)
    ids = [f"e{n:03}" for n in range(300)]
    order = rng.permutation(300)
    rows = findings_accuracy(
        recorded(
            "notes", [*(ids[n] for n in order), "elsewhere"], np.vstack([read[order], true[0]])
        ),
        recorded("gold", ids, true),
        VOCABULARY,
        ["C3"],
        300,
        0.95,
        1,
    )
    assert [(row["concept"], row["state"]) for row in rows] == [
        ("", ""),
        *zip(CONCEPTS[:3], STATES[:3], strict=True),
    ]
    each = precision_recall_fscore_support(true[:, :3], read[:, :3], average=None)
    micro = precision_recall_fscore_support(true[:, :3], read[:, :3], average="micro")
    for row, precision, recall in zip(
        rows, [micro[0], *each[0]], [micro[1], *each[1]], strict=True
    ):
        assert row["precision"] == pytest.approx(precision)
        assert row["recall"] == pytest.approx(recall)
        assert row["precision_lower"] < precision < row["precision_upper"]
        assert 0 < row["recall_lower"] < recall < row["recall_upper"] <= 1
        assert row["encounters"] == 300
    width = rows[1]["recall_upper"] - rows[1]["recall_lower"]
    error = (each[1][0] * (1 - each[1][0]) / true[:, 0].sum()) ** 0.5
    assert width / (2 * 1.96 * error) == pytest.approx(1, abs=0.5)


def test_sites_without_a_common_encounter_are_refused() -> None:
    one = recorded("notes", ["e1", "e2"], np.eye(2, 4, dtype=bool))
    other = recorded("gold", ["f1", "f2"], np.eye(2, 4, dtype=bool))
    with pytest.raises(StudyError, match=r"sites\.notes: gold names 'gold', but no encounter's id"):
        findings_accuracy(one, other, VOCABULARY, [], 100, 0.95, 1)


def predictions(
    cell: Cell, ids: list[str], labels: np.ndarray, probability: np.ndarray
) -> CellPredictions:
    return CellPredictions(
        cell,
        pa.array(ids),
        labels.astype(np.int8),
        np.zeros(len(ids), np.int16),
        probability.astype(np.float32),
        np.arange(len(probability)),
        (),
        (),
    )


def pair(loss: float, count: int = 400) -> tuple[CellPredictions, CellPredictions]:
    """Cells whose scores differ by noise on the side of the notes; the gold site has more
    encounters, and its replicate 2 was not estimable."""
    rng = np.random.default_rng(3)
    labels = rng.random(count) < 0.3
    score = labels + rng.normal(size=(6, count)) * 0.2 + rng.normal(size=count)
    noisy = score + loss * rng.normal(size=count)
    ids = [f"e{n:03}" for n in range(count)]
    more = np.column_stack([score, rng.random((6, 5))])
    more[2] = np.nan
    gold = predictions(
        Cell("a", "b", "none", "logistic", "direct", "0"),
        [*ids, *(f"x{n}" for n in range(5))],
        np.append(labels, [True, False, False, True, True]),
        1 / (1 + np.exp(-more)),
    )
    cell = Cell("a_notes", "b_notes", "none", "logistic", "direct", "0")
    return predictions(cell, ids, labels, 1 / (1 + np.exp(-noisy))), gold


def test_the_difference_is_that_of_the_same_encounters_and_replicates() -> None:
    read, gold = pair(loss=1.5)
    names = read.encounters.to_pylist()
    clusters = {"b_notes": dict(zip(names, names, strict=True))}
    (row,) = cost_rows([(read, gold)], clusters, SETTINGS)
    kept = [0, 1, 3, 4, 5]
    areas = [
        np.mean([roc_auc_score(read.labels, side[r]) for r in kept])
        for side in (read.probability, gold.probability[:, :400])
    ]
    assert row["estimate"] == pytest.approx(areas[0])
    assert row["gold_estimate"] == pytest.approx(areas[1])
    assert row["difference"] == pytest.approx(areas[0] - areas[1])
    assert row["replicates"] == 5
    assert row["encounters"] == 400
    assert (row["gold_source"], row["gold_target"]) == ("a", "b")
    assert row["lower"] < row["upper"] < 0
    assert row["verdict"] == "worse"
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(300):
        rows = rng.integers(0, 400, 400)
        sides = [
            np.mean([roc_auc_score(read.labels[rows], side[r][rows]) for r in kept[:2]])
            for side in (read.probability, gold.probability[:, :400])
        ]
        drawn.append(sides[0] - sides[1])
    width = row["upper"] - row["lower"]
    assert width == pytest.approx(2 * 1.96 * np.std(drawn), rel=0.25)


def test_equal_predictions_cost_nothing_and_few_positives_say_nothing() -> None:
    read, gold = pair(loss=0)
    names = read.encounters.to_pylist()
    clusters = {"b_notes": dict(zip(names, names, strict=True))}
    (row,) = cost_rows([(read, gold)], clusters, SETTINGS)
    assert row["difference"] == 0
    assert row["verdict"] == "no evidence"
    few = Evaluation(min_positives=399, small_cells=11)
    (row,) = cost_rows([pair(loss=1.5)], clusters, few)
    assert row["verdict"] == "underpowered"
    assert np.isnan(row["p_holm"])
