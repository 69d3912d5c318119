"""The space of documents: every measure against another library or a slow plain count."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import davies_bouldin_score, f1_score, silhouette_score

from concept_transfer.analysis.document_space import (
    MEASURES,
    PROBE,
    Documents,
    document_map,
    document_space,
    macro_f1,
)


def some(count: int = 60, seed: int = 0, apart: float = 1.0) -> Documents:
    rng = np.random.default_rng(seed)
    classes = np.concatenate([[0, 0, 1, 1, 2, 2], rng.integers(3, size=count - 6)])
    vectors = rng.standard_normal((count, 5)) + apart * np.eye(5)[classes]
    found = Documents.of(vectors, classes, np.arange(count), 2)
    assert found is not None
    return found


def measured(documents: Documents, weights: np.ndarray | None = None) -> dict[str, float]:
    every = np.ones(len(documents.classes)) if weights is None else weights
    return {name: of(documents, every) for name, of in MEASURES.items()}


def test_measures_are_those_of_plain_counts() -> None:
    documents = some()
    units, classes = documents.units, documents.classes
    pairs = list(combinations(range(len(classes)), 2))
    cosine = {pair: float(units[pair[0]] @ units[pair[1]]) for pair in pairs}
    same = [cosine[pair] for pair in pairs if classes[pair[0]] == classes[pair[1]]]
    other = [cosine[pair] for pair in pairs if classes[pair[0]] != classes[pair[1]]]
    found = measured(documents)
    assert found["same_class"] == pytest.approx(np.mean(same))
    assert found["other_class"] == pytest.approx(np.mean(other))
    squares = [np.sum((units[i] - units[j]) ** 2) for i, j in pairs if classes[i] == classes[j]]
    assert found["alignment"] == pytest.approx(np.mean(squares))
    potentials = [np.exp(-2 * np.sum((units[i] - units[j]) ** 2)) for i, j in pairs]
    assert found["uniformity"] == pytest.approx(np.log(np.mean(potentials)))
    assert found["silhouette"] == pytest.approx(silhouette_score(units, classes, metric="cosine"))
    assert found["davies_bouldin"] == pytest.approx(davies_bouldin_score(units, classes))
    purity = []
    for i, own in enumerate(classes):
        others = np.delete(np.arange(len(classes)), i)
        nearest = others[np.argsort(-(units[others] @ units[i]))[:10]]
        purity.append(np.mean(classes[nearest] == own))
    assert found["neighbour_purity"] == pytest.approx(np.mean(purity))


def test_a_weight_is_a_repetition_that_makes_no_pair_with_itself() -> None:
    documents = some()
    rng = np.random.default_rng(4)
    weights = rng.integers(0, 3, len(documents.classes))
    rows = np.repeat(np.arange(len(weights)), weights)
    units, classes = documents.units[rows], documents.classes[rows]
    found = measured(documents, weights.astype(float))
    pairs = [(i, j) for i, j in combinations(range(len(rows)), 2) if rows[i] != rows[j]]
    same = [units[i] @ units[j] for i, j in pairs if classes[i] == classes[j]]
    assert found["same_class"] == pytest.approx(np.mean(same))
    assert found["davies_bouldin"] == pytest.approx(davies_bouldin_score(units, classes))
    expected = silhouette_score(units, classes, metric="cosine")
    assert found["silhouette"] == pytest.approx(expected)


def test_macro_f1_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    truth, said = rng.integers(4, size=(2, 100))
    weights = rng.uniform(0, 2, 100)
    expected = f1_score(truth, said, average="macro", sample_weight=weights)
    assert macro_f1(truth, said, weights) == pytest.approx(expected)


def test_intervals_hold_the_value_and_are_wider_for_clusters() -> None:
    single = some(90)
    rows = {row["measure"]: row for row in document_space(single, 100, 0.95, 1)}
    assert set(rows) == {*MEASURES, PROBE}
    for row in rows.values():
        assert row["lower"] < row["value"] < row["upper"]
        assert row["documents"] == 90
    together = Documents(
        single.units, single.classes, single.classes * 3 + np.arange(90) % 3, single.names
    )
    wide = {row["measure"]: row for row in document_space(together, 100, 0.95, 1)}
    width = {name: one["upper"] - one["lower"] for name, one in rows.items()}
    assert wide["other_class"]["upper"] - wide["other_class"]["lower"] > width["other_class"]


def test_intervals_lie_about_the_value_though_draws_repeat_documents() -> None:
    """Copies lie close: a plain percentile interval of this index ends below its value."""
    rng = np.random.default_rng(0)
    vectors, classes = rng.standard_normal((150, 60)), np.arange(150) % 5
    documents = Documents.of(vectors, classes, np.arange(150), 2)
    assert documents is not None
    rows = {row["measure"]: row for row in document_space(documents, 60, 0.95, 1)}
    for name in ("davies_bouldin", "silhouette"):
        assert rows[name]["lower"] < rows[name]["value"] < rows[name]["upper"]


def test_classes_that_separate_score_better_in_every_measure() -> None:
    loose, tight = measured(some(apart=0.3)), measured(some(apart=6.0))
    for name in ("same_class", "silhouette", "neighbour_purity"):
        assert tight[name] > loose[name]
    for name in ("alignment", "davies_bouldin"):
        assert tight[name] < loose[name]


def test_small_classes_are_left_out_and_the_map_has_points_alone() -> None:
    vectors = np.random.default_rng(0).standard_normal((30, 4))
    classes = np.array([0] * 14 + [3] * 13 + [5] * 3)
    documents = Documents.of(vectors, classes, np.arange(30), 10)
    assert documents is not None
    assert documents.classes.tolist() == [0] * 14 + [1] * 13
    assert Documents.of(vectors, classes, np.arange(30), 14) is None
    rows = list(document_map([documents, documents], ["a", "b", "c", "d", "e", "f"]))
    assert [row["place"] for row in rows] == [0] * 27 + [1] * 27
    assert [row["class"] for row in rows[:27]] == ["a"] * 14 + ["d"] * 13
    assert set(rows[0]) == {"place", "class", "x", "y", "share_x", "share_y"}
