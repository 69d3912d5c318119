"""Tables made from tables, against scikit-learn and against their definitions."""

import numpy as np
import pytest
from embedding_data import findings, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from concept_transfer.embeddings.derived import negated_by_direction, principal_components
from concept_transfer.embeddings.derived_embeddings import (
    AverageEmbedding,
    ConcatenatedEmbedding,
    NegationEmbedding,
    PcaEmbedding,
    ScaledEmbedding,
)
from concept_transfer.embeddings.providers import embed
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError

VOCABULARY = findings(8)
TOKENS = len(VOCABULARY)


def table(name, vectors):
    return EmbeddingTable.create(name, "precomputed", vectors, VOCABULARY)


def derive(config, *parents):
    return embed("derived", config, VOCABULARY, None, list(parents))


@given(st.integers(3, 40), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_pca_agrees_with_scikit_learn(width, seed):
    vectors = rows(TOKENS, width, seed)
    scores, explained = principal_components("p", vectors, 2)
    reference = PCA(2, svd_solver="full").fit(vectors.astype(float))
    expected = reference.transform(vectors.astype(float))
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), atol=1e-4)
    assert explained == pytest.approx(reference.explained_variance_ratio_.sum(), rel=1e-5)


def test_the_sign_of_a_component_does_not_depend_on_the_shape_of_the_table():
    """Wide tables go by the tokens' Gram matrix, narrow ones by the columns' scatter."""
    vectors = rows(TOKENS, 5)
    narrow, _ = principal_components("p", vectors, 3)
    wide, _ = principal_components("p", np.pad(vectors, ((0, 0), (0, 60))), 3)
    np.testing.assert_allclose(narrow, wide, atol=1e-5)


def test_all_components_keep_all_distances():
    vectors = rows(TOKENS, 6)
    scores, explained = principal_components("p", vectors, 6)
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    kept = np.linalg.norm(scores[:, None] - scores[None], axis=2)
    np.testing.assert_allclose(kept, distance, atol=1e-4)
    assert explained == pytest.approx(1)


def test_pca_leaves_tokens_without_a_vector_out():
    vectors = rows(TOKENS, 6)
    vectors[4] = 0
    scores, _ = principal_components("p", vectors, 2)
    alone, _ = principal_components("p", np.delete(vectors, 4, axis=0), 2)
    assert not scores[4].any()
    np.testing.assert_allclose(np.delete(scores, 4, axis=0), alone, atol=1e-6)


def test_too_many_components_are_refused_with_the_number_there_is():
    made = table("a", rows(TOKENS, 6))
    with pytest.raises(StudyError, match="width 7 exceeds the 6 components"):
        derive(PcaEmbedding(provider="pca", of="a", width=7), made)


def test_scaled_concatenated_and_average():
    a, b = table("a", rows(TOKENS, 3, 1)), table("b", rows(TOKENS, 3, 2))
    scaled = derive(ScaledEmbedding(provider="scaled", of="a", scale="unit"), a)
    np.testing.assert_allclose(np.linalg.norm(scaled.vectors, axis=1), 1, rtol=1e-6)
    both = ConcatenatedEmbedding(provider="concatenated", of=["a", "b"])
    joined = derive(both, a, b)
    np.testing.assert_array_equal(joined.vectors, np.hstack([a.vectors, b.vectors]))
    assert joined.card.details["parents"] == ["a", "b"]
    mean = derive(AverageEmbedding(provider="average", of=["a", "b"]), a, b)
    np.testing.assert_allclose(mean.vectors, (a.vectors + b.vectors) / 2, rtol=1e-6)
    np.testing.assert_array_equal(a.vectors, rows(TOKENS, 3, 1))


def test_an_average_of_two_widths_is_refused_with_both():
    a, b = table("a", rows(TOKENS, 3)), table("b", rows(TOKENS, 4))
    with pytest.raises(StudyError, match="a has 3, b has 4"):
        derive(AverageEmbedding(provider="average", of=["a", "b"]), a, b)


@given(st.floats(0.1, 5), st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_negation_is_one_step_of_the_mean_difference(strength, seed):
    vectors = rows(TOKENS, 5, seed)
    negated = negated_by_direction("n", vectors, VOCABULARY, strength)
    present = [i for i, s in enumerate(VOCABULARY.states) if s == "present"]
    absent = [i for i, s in enumerate(VOCABULARY.states) if s == "absent"]
    graded = sorted(set(range(TOKENS)) - set(present) - set(absent))
    np.testing.assert_array_equal(negated[present + graded], vectors[present + graded])
    step = negated[absent] - negated[present]
    mean = (vectors[absent] - vectors[present]).mean(axis=0)
    np.testing.assert_allclose(step, np.tile(strength * mean, (len(absent), 1)), atol=1e-4)


def test_negation_gives_absent_rows_to_concepts_that_lack_them():
    vectors = rows(TOKENS, 5)
    gap = VOCABULARY.token("C0003", "absent")
    vectors[gap] = 0
    made = derive(NegationEmbedding(provider="negation", of="a"), table("a", vectors))
    assert made.vectors[gap].any()
    vectors[[i for i, s in enumerate(VOCABULARY.states) if s == "absent"]] = 0
    with pytest.raises(StudyError, match="no direction of negation"):
        derive(NegationEmbedding(provider="negation", of="a"), table("a", vectors))
