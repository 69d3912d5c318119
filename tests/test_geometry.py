"""Geometry of embeddings against scikit-learn, closed forms and vectors built for the purpose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from concept_transfer.analysis.concepts import concept_points, plane
from concept_transfer.analysis.geometry import (
    concept_map,
    effective_dimension,
    geometry,
    nearest_neighbours,
)
from concept_transfer.analysis.separability import neighbour_weights, purity, silhouette
from concept_transfer.concepts.vocabulary import Vocabulary


def a_vocabulary(findings: int = 12, signs: int = 8) -> Vocabulary:
    """Findings and signs with present and absent, and one graded concept."""
    concepts = [(f"f{i}", "finding") for i in range(findings)]
    concepts += [(f"s{i}", "sign") for i in range(signs)]
    tokens = [(c, k, state) for c, k in concepts for state in ("present", "absent")]
    tokens += [("heat", "grade", state) for state in ("high", "low")]
    return Vocabulary(
        concepts=tuple(c for c, _, _ in tokens),
        names=tuple(f"name of {c}" for c, _, _ in tokens),
        categories=tuple(k for _, k, _ in tokens),
        states=tuple(s for _, _, s in tokens),
        texts=tuple(f"{s} {c}" for c, _, s in tokens),
    )


VOCABULARY = a_vocabulary()


def measured(vectors, vocabulary=VOCABULARY, seed=1):
    rows = geometry(np.asarray(vectors, np.float32), vocabulary, seed)
    return {row["measure"]: row for row in rows}


def gaussian(seed=0, width=16):
    return np.random.default_rng(seed).normal(size=(len(VOCABULARY), width)).astype(np.float32)


def apart():
    """Findings and signs in two clusters; absent = present and a common step."""
    rng = np.random.default_rng(2)
    vectors = 0.15 * rng.normal(size=(len(VOCABULARY), 20))
    for token, category in enumerate(VOCABULARY.categories):
        vectors[token, 0 if category == "finding" else 1] += 1
    absent = np.array(VOCABULARY.states) == "absent"
    vectors[absent] = vectors[np.flatnonzero(absent) - 1]
    vectors[absent, 2] += 0.1
    return vectors.astype(np.float32)


def test_concepts_are_their_present_vectors_and_grades_their_mean():
    vectors = gaussian()
    points = concept_points(vectors, VOCABULARY)
    assert points.ids == tuple(VOCABULARY.concept_states)
    np.testing.assert_allclose(points.units[3], vectors[6] / np.linalg.norm(vectors[6]), atol=1e-6)
    grades = vectors[-2:] / np.linalg.norm(vectors[-2:], axis=1, keepdims=True)
    np.testing.assert_allclose(
        points.units[-1], grades.sum(0) / np.linalg.norm(grades.sum(0)), atol=1e-6
    )


def test_concepts_without_a_vector_are_left_out():
    vectors = gaussian()
    vectors[0] = 0  # f0 present
    vectors[-1] = 0  # one grade of heat
    assert set(VOCABULARY.concepts) - set(concept_points(vectors, VOCABULARY).ids) == {"f0", "heat"}
    assert {row["measure"] for row in geometry(vectors, VOCABULARY, 1)} == set(measured(gaussian()))


def test_cosines_equal_plain_loops():
    vectors = gaussian(3)
    points = concept_points(vectors, VOCABULARY).units
    pairs = [points[i] @ points[j] for i in range(len(points)) for j in range(i)]
    found = measured(vectors)
    assert found["anisotropy"]["value"] == pytest.approx(np.mean(pairs))
    assert found["anisotropy"]["low"] == pytest.approx(np.percentile(pairs, 5))

    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(float)
    own = [units[i] @ units[i + 1] for i in range(0, 40, 2)]
    assert found["present_absent"]["value"] == pytest.approx(np.mean(own), abs=1e-6)
    nearest = [
        all(own[i // 2] > units[i] @ units[j] for j in range(len(units)) if j not in (i, i + 1))
        for i in range(0, 40, 2)
    ]
    assert found["absent_is_nearest"]["value"] == np.mean(nearest)
    steps = [units[i + 1] - units[i] for i in range(0, 40, 2)]
    steps = [step / np.linalg.norm(step) for step in steps]
    alike = [steps[i] @ steps[j] for i in range(len(steps)) for j in range(i)]
    assert found["negation_direction"]["value"] == pytest.approx(np.mean(alike), abs=1e-6)


def test_one_hot_knows_nothing():
    found = measured(np.eye(len(VOCABULARY)))
    for measure in ("anisotropy", "present_absent", "absent_is_nearest"):
        assert found[measure]["value"] == 0
    for measure in ("silhouette", "neighbour_purity"):
        assert found[measure]["value"] == pytest.approx(found[measure]["baseline"])
        assert found[measure]["p"] == 1


def test_meaning_and_negation_that_were_built_in_are_found():
    found = measured(apart())
    assert found["present_absent"]["value"] > 0.97 > 0.8 > found["anisotropy"]["value"]
    assert found["absent_is_nearest"]["value"] == 1
    assert found["negation_direction"]["value"] > 0.8
    assert found["silhouette"]["p"] < 0.01 > found["neighbour_purity"]["p"]
    assert found["neighbour_purity"]["value"] > 0.95 > found["neighbour_purity"]["baseline_high"]


def test_categories_without_meaning_are_as_good_as_chance():
    p = [measured(gaussian(seed, width=8))["silhouette"]["p"] for seed in range(40)]
    assert 0.3 < np.mean(p) < 0.7
    assert np.mean(np.array(p) < 0.05) <= 0.15


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 50))
def test_turning_and_scaling_the_space_changes_nothing(seed, length):
    vectors = gaussian(1)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(16, 16)))
    before, after = measured(vectors), measured(length * vectors @ turn)
    for measure, row in before.items():
        assert after[measure]["value"] == pytest.approx(row["value"], abs=2e-5), measure


def test_effective_dimension_of_known_shapes():
    directions = np.eye(9)[:4]
    cross = np.concatenate([directions, -directions])
    assert effective_dimension(cross) == pytest.approx(4)
    assert effective_dimension(np.outer([1, 2, 5], [1, 1, 0])) == pytest.approx(1)
    assert effective_dimension(np.eye(10)) == pytest.approx(9)
    assert effective_dimension(np.ones((5, 3))) == 0


@settings(deadline=None)
@given(
    arrays(np.float64, (11, 3), elements=st.floats(-5, 5, width=16)),
    arrays(np.int64, 11, elements=st.integers(0, 3)),
)
def test_silhouette_equals_scikit_learn(points, cluster):
    _, cluster = np.unique(cluster, return_inverse=True)
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    if cluster.max() == 0:
        assert silhouette(distances, cluster) == 0
        return
    if cluster.max() == len(points) - 1:
        return
    expected = silhouette_score(distances, cluster, metric="precomputed")
    assert silhouette(distances, cluster) == pytest.approx(expected, abs=1e-9)


def test_purity_equals_nearest_neighbours_of_scikit_learn():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(40, 6))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cluster = rng.integers(0, 3, 40)
    near = NearestNeighbors(n_neighbors=6, metric="cosine").fit(points).kneighbors(points)[1][:, 1:]
    weights = neighbour_weights(points @ points.T, 5)
    assert purity(weights, cluster) == pytest.approx(
        (cluster[near] == cluster[:, None]).mean(), abs=1e-12
    )


def test_tied_neighbours_share_their_places():
    weights = neighbour_weights(np.eye(6), 2)
    np.testing.assert_allclose(weights, (1 - np.eye(6)) * 2 / 5)
    cosines = np.array([[1, 0.9, 0.5, 0.5], [0.9, 1, 0, 0], [0.5, 0, 1, 0], [0.5, 0, 0, 1.0]])
    np.testing.assert_allclose(neighbour_weights(cosines, 2)[0], [0, 1, 0.5, 0.5])


def test_neighbours_are_ordered_and_named():
    vectors = apart()
    rows = list(nearest_neighbours(vectors, VOCABULARY, count=3))
    units = concept_points(vectors, VOCABULARY).units
    expected = NearestNeighbors(n_neighbors=4, metric="cosine").fit(units).kneighbors(units)[1]
    ids = list(VOCABULARY.concept_states)
    for place, concept in enumerate(ids):
        own = [row for row in rows if row["concept"] == concept]
        assert [row["rank"] for row in own] == [1, 2, 3]
        assert [row["neighbour"] for row in own] == [ids[i] for i in expected[place][1:]]
        assert own[0]["cosine"] == pytest.approx(units[place] @ units[expected[place][1]])
        assert own[0]["neighbour_name"] == f"name of {own[0]['neighbour']}"


def test_the_map_is_that_of_principal_components_whatever_the_sign():
    units = concept_points(gaussian(4), VOCABULARY).units
    coordinates, shares = plane(units)
    reference = PCA(n_components=2, svd_solver="full").fit(units)
    np.testing.assert_allclose(np.abs(coordinates), np.abs(reference.transform(units)), atol=1e-9)
    np.testing.assert_allclose(shares, reference.explained_variance_ratio_, atol=1e-12)
    np.testing.assert_allclose(plane(-units)[0], coordinates, atol=1e-9)
    rows = list(concept_map(gaussian(4), VOCABULARY))
    assert [row["x"] for row in rows] == pytest.approx(coordinates[:, 0].tolist())
