"""Tables on disk, row scaling, and the control tables that replicates draw."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from embedding_data import findings, rows, vocabulary_of
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler, normalize

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.control_embeddings import RandomEmbedding, ShuffledEmbedding
from concept_transfer.embeddings.one_hot_embedding import OneHotEmbedding
from concept_transfer.embeddings.providers import check_embedding, embed
from concept_transfer.embeddings.scaling import describe_scale, row_norms, scale_rows
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.settings.scale import Norm, Standardized

VOCABULARY = findings(6)
PINNED_ORDER = [8, 9, 10, 11, 6, 7, 0, 1, 2, 3, 4, 5, 12, 13, 14]
PINNED_ROW = [0.1944061, 0.4473923, 0.3870488, 0.2538596, 0.5377188]


def table(width=5, seed=0, vocabulary=VOCABULARY):
    return EmbeddingTable.create("t", "precomputed", rows(len(vocabulary), width, seed), vocabulary)


def control(kind, parent, vocabulary=VOCABULARY):
    config = (
        ShuffledEmbedding(provider="shuffled", of="t")
        if kind == "shuffled"
        else RandomEmbedding(provider="random", like="t")
    )
    return embed(kind, config, vocabulary, None, [parent])


def test_a_table_is_read_back_as_it_was_written(tmp_path):
    written = table()
    written.write(tmp_path / "name.with.dots.safetensors")
    read = EmbeddingTable.read(tmp_path / "name.with.dots.safetensors", VOCABULARY)
    assert read.card == written.card
    np.testing.assert_array_equal(read.vectors, written.vectors)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "name.with.dots.json",
        "name.with.dots.safetensors",
    ]
    card = json.loads((tmp_path / "name.with.dots.json").read_text())
    assert card["width"] == 5
    assert card["vocabulary"] == VOCABULARY.identity
    norms = np.linalg.norm(written.vectors, axis=1)
    assert card["norms"]["median"] == pytest.approx(np.median(norms), rel=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite_names_its_token(value):
    vectors = rows(len(VOCABULARY), 3)
    vectors[3, 1] = value
    with pytest.raises(StudyError, match=r"token 3 \(C0001, absent: 'no finding b number 1'\)"):
        EmbeddingTable.create("t", "precomputed", vectors, VOCABULARY)


def test_a_table_of_another_vocabulary_is_refused_with_both_digests(tmp_path):
    path = tmp_path / "t.safetensors"
    table().write(path)
    other = findings(5)
    with pytest.raises(StudyError) as error:
        EmbeddingTable.read(path, other)
    assert VOCABULARY.identity[:12] in str(error.value)
    assert other.identity[:12] in str(error.value)


def test_absent_and_damaged_tables_are_told_apart(tmp_path):
    path = tmp_path / "t.safetensors"
    with pytest.raises(StudyError, match="does not exist"):
        EmbeddingTable.read(path)
    table().write(path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(StudyError, match="damaged"):
        EmbeddingTable.read(path)


def test_a_table_with_the_card_of_another_is_refused(tmp_path):
    table(width=5).write(tmp_path / "a.safetensors")
    table(width=4).write(tmp_path / "b.safetensors")
    (tmp_path / "b.json").replace(tmp_path / "a.json")
    with pytest.raises(StudyError, match=r"do not belong together .*width 5.*width 4"):
        EmbeddingTable.read(tmp_path / "a.safetensors")


def test_the_training_path_needs_neither_torch_nor_pandas():
    code = (
        "import sys, concept_transfer.embeddings.table, concept_transfer.embeddings.providers;"
        "print([m for m in ('torch', 'pandas', 'sklearn', 'transformers', 'openai', 'h5py')"
        " if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_one_hot_vectors_that_fit_no_memory_are_refused():
    many = vocabulary_of([f"finding {i}" for i in range(40_000)])
    with pytest.raises(StudyError, match=r"embeddings\.o: .*40,000 tokens.* 6 GB; up to 32,768"):
        check_embedding("o", OneHotEmbedding(provider="one_hot"), many, Path())


def test_one_hot_is_the_identity():
    made = embed("one_hot", OneHotEmbedding(provider="one_hot"), VOCABULARY, None)
    np.testing.assert_array_equal(made.vectors, np.eye(len(VOCABULARY)))


@given(st.integers(0, 2**32), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_scaling_agrees_with_scikit_learn(seed, norm):
    vectors = rows(9, 4, seed) * 3 + 1
    unit = normalize(vectors.astype(float))
    np.testing.assert_allclose(scale_rows(vectors, "unit"), unit, atol=1e-6)
    np.testing.assert_allclose(
        scale_rows(vectors, Norm(norm=norm)), norm * unit, rtol=1e-5, atol=1e-6 * norm
    )
    standard = normalize(StandardScaler().fit_transform(vectors.astype(float)))
    np.testing.assert_allclose(scale_rows(vectors, "standardized"), standard, atol=1e-5)
    np.testing.assert_allclose(
        scale_rows(vectors, Standardized(standardized=norm)),
        norm * standard,
        rtol=1e-4,
        atol=1e-5 * norm,
    )


def test_a_zero_row_stays_zero_and_does_not_shift_the_others():
    vectors = rows(6, 4) + 2
    with_gap = np.insert(vectors, 2, 0, axis=0)
    for scale in ("raw", "unit", "standardized", Norm(norm=15)):
        scaled = scale_rows(with_gap, scale)
        assert not scaled[2].any()
        np.testing.assert_allclose(
            np.delete(scaled, 2, axis=0), scale_rows(vectors, scale), atol=1e-6
        )


def test_a_column_without_variance_becomes_zero():
    vectors = rows(8, 3)
    vectors[:, 1] = 4.25
    assert not scale_rows(vectors, "standardized")[:, 1].any()


def test_scales_have_names_for_tables_and_figures():
    assert describe_scale("unit") == "unit"
    assert describe_scale(Norm(norm=15)) == "norm 15"


@given(st.integers(2, 12), st.integers(0, 50), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_shuffling_moves_every_concept_with_its_states_together(count, replicate, seed):
    vocabulary = findings(count)
    parent = table(vocabulary=vocabulary)
    drawn = control("shuffled", parent, vocabulary).vectors_for(replicate, seed, vocabulary)
    where = {row.tobytes(): i for i, row in enumerate(parent.vectors)}
    source = [where[row.tobytes()] for row in drawn]
    assert sorted(source) == list(range(len(vocabulary)))
    for concept, states in vocabulary.concept_states.items():
        sources = [source[vocabulary.index[concept, state]] for state in states]
        origins = {vocabulary.concepts[i] for i in sources}
        assert len(origins) == 1
        assert [vocabulary.states[i] for i in sources] == list(states)
        alone = concept == "T1"
        assert (origins == {concept}) == alone


def test_states_are_matched_by_name_whatever_their_order():
    vocabulary = Vocabulary(
        ("A", "A", "B", "B"),
        ("a", "a", "b", "b"),
        ("finding",) * 4,
        ("present", "absent", "absent", "present"),
        ("a", "no a", "no b", "b"),
    )
    parent = table(vocabulary=vocabulary)
    drawn = control("shuffled", parent, vocabulary).vectors_for(0, 0, vocabulary)
    np.testing.assert_array_equal(drawn, parent.vectors[[3, 2, 1, 0]])


def test_concepts_without_a_vector_take_no_part_in_the_shuffle():
    vectors = rows(len(VOCABULARY), 4)
    gap = VOCABULARY.token("C0002", "absent")
    vectors[gap] = 0
    parent = EmbeddingTable.create("t", "precomputed", vectors, VOCABULARY)
    for replicate in range(20):
        drawn = control("shuffled", parent).vectors_for(replicate, 1, VOCABULARY)
        assert np.flatnonzero(~drawn.any(axis=1)).tolist() == [gap]


@given(st.integers(0, 100), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_random_rows_have_the_parents_norms(replicate, seed):
    parent = table(width=7)
    drawn = control("random", parent).vectors_for(replicate, seed, VOCABULARY)
    assert drawn.shape == parent.vectors.shape
    np.testing.assert_allclose(row_norms(drawn), row_norms(parent.vectors), rtol=1e-5)


def test_random_directions_are_uniform():
    vocabulary = findings(400)
    parent = EmbeddingTable.create(
        "t", "precomputed", np.ones((len(vocabulary), 8), np.float32), vocabulary
    )
    drawn = control("random", parent, vocabulary).vectors_for(0, 0, vocabulary)
    covariance = drawn.T @ drawn / len(drawn)
    np.testing.assert_allclose(covariance, np.eye(8), atol=0.15)


@pytest.mark.parametrize("kind", ["shuffled", "random"])
def test_a_control_is_the_same_in_every_job_and_new_in_every_replicate(kind):
    made = control(kind, table())
    first = made.vectors_for(3, 11, VOCABULARY)
    np.testing.assert_array_equal(first, made.vectors_for(3, 11, VOCABULARY))
    assert not np.array_equal(first, made.vectors_for(4, 11, VOCABULARY))
    assert not np.array_equal(first, made.vectors_for(3, 12, VOCABULARY))


def test_the_random_streams_never_change():
    """Another stream would silently change published results, so the draws are pinned."""
    shuffled = control("shuffled", table())
    drawn = shuffled.vectors_for(0, 1, VOCABULARY)
    origin = [int(np.flatnonzero((shuffled.vectors == row).all(axis=1))[0]) for row in drawn]
    assert origin == PINNED_ORDER
    drawn = control("random", table()).vectors_for(0, 1, VOCABULARY)
    np.testing.assert_allclose(drawn[0], PINNED_ROW, rtol=1e-5)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")
def test_large_tables_are_written_and_read_with_one_copy(tmp_path, repository):
    """Peak memory stays near one table: 20,000 x 768 floats are 59 MiB."""
    code = f"""
import re, numpy as np
from pathlib import Path
from embedding_data import vocabulary_of
from concept_transfer.embeddings.table import EmbeddingTable
vocabulary = vocabulary_of([str(i) for i in range(20_000)])
def peak():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024
path = Path({str(tmp_path)!r}) / "big.safetensors"
before = peak()
if {{step!r}} == "write":
    vectors = np.ones((20_000, 768), np.float32)
    EmbeddingTable.create("big", "precomputed", vectors, vocabulary).write(path)
else:
    EmbeddingTable.read(path, vocabulary)
print(peak() - before)
"""
    for step in ("write", "read"):
        ran = subprocess.run(
            [sys.executable, "-c", code.replace("{step!r}", repr(step))],
            capture_output=True,
            text=True,
            cwd=repository / "tests",
        )
        assert float(ran.stdout) < 1.5 * 59, f"{step}: {ran.stdout} {ran.stderr}"
