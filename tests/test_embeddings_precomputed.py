"""Published vectors: formats, matching to tokens, and what happens where one is missing."""

import csv

import h5py
import numpy as np
import pandas as pd
import pytest
from embedding_data import findings, rows

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.precomputed_embedding import PrecomputedEmbedding
from concept_transfer.embeddings.providers import check_embedding, embed
from concept_transfer.errors import StudyError

VOCABULARY = findings(3, graded=False)
VECTORS = rows(6, 4)
PUBLISHED = [
    key for i in range(3) for key in (f"C000{i} finding text {i}", f"C000{i} Not finding text {i}")
]


def config(path, **keys):
    return PrecomputedEmbedding(provider="precomputed", path=str(path), **keys)


def load(path, tmp_path, vocabulary=VOCABULARY, allowed=None, **keys):
    check_embedding("p", config(path, **keys), vocabulary, tmp_path, allowed)
    return embed("p", config(path, **keys), vocabulary, tmp_path, allowed=allowed)


def write_hdf5(path, keys=PUBLISHED, vectors=VECTORS):
    with h5py.File(path, "w") as file:
        for key, vector in zip(keys, vectors, strict=True):
            file[key] = vector[None, :]


def write_npz(path, keys=PUBLISHED, vectors=VECTORS):
    np.savez(path, keys=np.array(keys), vectors=vectors)


def write_npz_one_array_a_key(path, keys=PUBLISHED, vectors=VECTORS):
    np.savez(path, **dict(zip(keys, vectors, strict=True)))


def write_parquet_lists(path, keys=PUBLISHED, vectors=VECTORS):
    pd.DataFrame({"token": keys, "vector": list(vectors)}).to_parquet(path)


def write_parquet_columns(path, keys=PUBLISHED, vectors=VECTORS):
    columns = {f"d{i}": vectors[:, i] for i in range(vectors.shape[1])}
    pd.DataFrame({"token": keys, **columns}).to_parquet(path)


WRITERS = [
    ("v.h5", write_hdf5),
    ("v.npz", write_npz),
    ("v.npz", write_npz_one_array_a_key),
    ("v.parquet", write_parquet_lists),
    ("v.parquet", write_parquet_columns),
]


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_every_format_gives_the_same_table(tmp_path, name, write):
    order = [4, 1, 5, 0, 3, 2]
    write(tmp_path / name, [PUBLISHED[i] for i in order], VECTORS[order])
    table = load(tmp_path / name, tmp_path)
    np.testing.assert_array_equal(table.vectors, VECTORS)
    assert table.card.details["missing"] == []


@pytest.mark.parametrize("header", [True, False])
def test_word2vec_text_is_matched_by_name_and_text(tmp_path, header):
    keys = [text.replace(" ", "_") for text in VOCABULARY.texts]
    lines = [f"{k} {' '.join(map(str, v))}" for k, v in zip(keys, VECTORS.tolist(), strict=True)]
    path = tmp_path / "v.txt"
    path.write_text("\n".join((["6 4"] if header else []) + lines) + "\n")
    np.testing.assert_array_equal(load(path, tmp_path).vectors, VECTORS)


def test_cui2vec_csv_knows_concepts_but_no_absent_state(tmp_path):
    path = tmp_path / "cui2vec.csv"
    lines = [f'"C000{i}",' + ",".join(map(str, VECTORS[i].tolist())) for i in range(3)]
    path.write_text('"","V1","V2","V3","V4"\n' + "\n".join(lines) + "\n")
    with pytest.raises(StudyError, match=r"no vector for 3 of 6 tokens: C0000 absent"):
        load(path, tmp_path)
    table = load(path, tmp_path, missing="zero")
    np.testing.assert_array_equal(table.vectors[::2], VECTORS[:3])
    assert not table.vectors[1::2].any()
    assert len(table.card.details["missing"]) == 3


def test_the_crosswalk_names_keys_that_no_rule_finds(tmp_path):
    write_hdf5(tmp_path / "v.h5", ["C0000", "grade_H high", "X"], VECTORS[:3])
    vocabulary = Vocabulary(
        ("C0000", "T", "T"),
        ("cough", "temperature", "temperature"),
        ("finding", "temperature", "temperature"),
        ("present", "high", "low"),
        ("cough", "hot", "cool"),
    )
    crosswalk = tmp_path / "crosswalk.tsv"
    crosswalk.write_text("# comment\nkey\tconcept\tstate\ngrade_H\tT\thigh\nX\tT\tlow\n")
    table = load(tmp_path / "v.h5", tmp_path, vocabulary, crosswalk=str(crosswalk))
    np.testing.assert_array_equal(table.vectors, VECTORS[:3])
    crosswalk.write_text("key\tconcept\tstate\ngrade_H\tT\thot\n")
    with pytest.raises(StudyError, match=r"crosswalk.tsv, line 2: .*no state 'hot'"):
        load(tmp_path / "v.h5", tmp_path, vocabulary, crosswalk=str(crosswalk))


def test_missing_tokens_are_listed_before_any_job(tmp_path):
    write_hdf5(tmp_path / "v.h5", PUBLISHED[:4], VECTORS[:4])
    with pytest.raises(StudyError, match=r"C0002 present .*, C0002 absent") as error:
        check_embedding("p", config(tmp_path / "v.h5"), VOCABULARY, tmp_path)
    assert str(tmp_path / "v.h5") in str(error.value)


def test_tokens_that_no_model_sees_need_no_vector(tmp_path):
    write_hdf5(tmp_path / "v.h5", PUBLISHED[:4], VECTORS[:4])
    allowed = np.array([c != "C0002" for c in VOCABULARY.concepts])
    table = load(tmp_path / "v.h5", tmp_path, allowed=allowed)
    assert not table.vectors[4:].any()
    assert table.card.details["missing"] == []


def test_policies_for_missing_rows(tmp_path):
    write_hdf5(tmp_path / "v.h5", PUBLISHED[:4], VECTORS[:4])
    table = load(tmp_path / "v.h5", tmp_path, missing="mean")
    np.testing.assert_allclose(table.vectors[5], VECTORS[:4].mean(axis=0), rtol=1e-6)
    names = ("chest pain", "chest pain", "abdominal pain", "abdominal pain")
    vocabulary = Vocabulary(
        ("C0000", "C0000", "C0001", "C0001", "C9", "C9"),
        (*names, "chest pains", "chest pains"),
        ("finding",) * 6,
        ("present", "absent") * 3,
        tuple("abcdef"),
    )
    table = load(tmp_path / "v.h5", tmp_path, vocabulary, missing="nearest")
    np.testing.assert_array_equal(table.vectors[4:], table.vectors[:2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda p: None, "does not exist"),
        (lambda p: p.write_bytes(b"no hdf5"), "cannot be read as .h5"),
        (
            lambda p: write_hdf5(p, PUBLISHED, [*VECTORS[:5], VECTORS[5][:3]]),
            "'C0002 Not finding text 2' has 3 numbers, 'C0000 finding text 0' has 4",
        ),
        (lambda p: write_hdf5(p, ["zzz"], VECTORS[:1]), "no vector for any of the 6 tokens"),
        (
            lambda p: write_hdf5(p, [*PUBLISHED, "C0000 once more"], rows(7, 4)),
            "2 keys fit the identifier 'C0000'",
        ),
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "v.h5"
    content(path)
    with pytest.raises(StudyError, match=message) as error:
        load(path, tmp_path)
    assert "v.h5" in str(error.value)


def test_a_repeated_key_and_an_unknown_suffix_are_errors(tmp_path):
    write_parquet_lists(tmp_path / "v.parquet", [*PUBLISHED[:5], PUBLISHED[0]])
    with pytest.raises(StudyError, match=f"more than once, the first is '{PUBLISHED[0]}'"):
        load(tmp_path / "v.parquet", tmp_path)
    with pytest.raises(StudyError, match=r"suffix '.pkl' is no known vector format"):
        load(tmp_path / "v.pkl", tmp_path)


@pytest.mark.parametrize(
    ("name", "norm", "similarity"),
    [("bert", 15, 0.917), ("openai_small", 1, 0.811), ("openai_large", 1, 0.747)],
)
def test_the_published_vectors_of_gao_et_al(shared_data, repository, name, norm, similarity):
    vocabulary = Vocabulary.read(repository / "resources/concepts/influenza.tsv")
    allowed = np.array([category != "season" for category in vocabulary.categories])
    path = shared_data / "gao2024-embeddings" / f"concept_pair_{name}.h5"
    crosswalk = "resources/concepts/gao2024-crosswalk.tsv"
    table = load(path, repository, vocabulary, allowed, crosswalk=crosswalk)
    assert table.card.norms["median"] == pytest.approx(norm, rel=0.05)
    with h5py.File(path) as file:
        high = vocabulary.token("C0424781", "high")
        key = next(key for key in file if key.startswith("C0424781_P"))
        np.testing.assert_array_equal(table.vectors[high], file[key][0])
        absent = vocabulary.token("C2055125", "absent")
        np.testing.assert_array_equal(table.vectors[absent], file["C2055125 Not reported fever"][0])
    unit = table.vectors / np.maximum(np.linalg.norm(table.vectors, axis=1), 1e-9)[:, None]
    cosines = [
        unit[vocabulary.token(concept, "present")] @ unit[vocabulary.token(concept, "absent")]
        for concept, states in vocabulary.concept_states.items()
        if "absent" in states
    ]
    assert np.mean(cosines) == pytest.approx(similarity, abs=0.002)


def write_hdf5_texts(path):
    with h5py.File(path, "w") as file:
        for key in PUBLISHED:
            file[key] = "0.1 0.2 0.3 0.4"


def csv_lines(path, numbers):
    """cui2vec's layout; `numbers` are the cells of the first concept."""
    lines = [f'"{key}",{",".join(map(str, v))}' for key, v in zip(PUBLISHED, VECTORS, strict=True)]
    lines[0] = f'"{PUBLISHED[0]}",{numbers}'
    path.write_text("\n".join(lines) + "\n")


def word2vec_lines(path, numbers):
    keys = [text.replace(" ", "_") for text in VOCABULARY.texts]
    lines = [f"{k} {' '.join(map(str, v))}" for k, v in zip(keys, VECTORS, strict=True)]
    lines[1] = f"{keys[1]} {numbers}"
    path.write_text("\n".join(lines) + "\n")


def parquet(path, **columns):
    pd.DataFrame({"token": PUBLISHED, **columns}).to_parquet(path)


KEY = "'C0000 finding text 0'"
TEXT, OBJECTS = np.array(["a", "b", "c", "d"]), VECTORS.astype(object)
DAYS = pd.to_datetime(["2020-01-01"] * 6)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("v.h5", write_hdf5_texts, rf"{KEY} .*text"),
        ("v.h5", lambda p: write_hdf5(p, vectors=VECTORS + 1j), rf"{KEY} .*complex"),
        ("v.h5", lambda p: write_hdf5(p, vectors=[VECTORS] * 6), rf"{KEY} .*shape \(1, 6, 4\)"),
        ("v.h5", lambda p: write_hdf5(p, vectors=[v[:0] for v in VECTORS]), rf"{KEY} .*empty"),
        ("v.h5", lambda p: write_hdf5(p, vectors=VECTORS * np.nan), rf"{KEY} .*NaN or infinity"),
        (
            "v.h5",
            lambda p: write_hdf5(p, vectors=VECTORS * np.float64(1e300)),
            rf"{KEY} .*NaN or infinity",
        ),
        ("v.npz", lambda p: write_npz(p, vectors=VECTORS + 1j), rf"{KEY} .*complex"),
        ("v.npz", lambda p: write_npz(p, vectors=OBJECTS), "'vectors' holds Python objects"),
        ("v.npz", lambda p: write_npz(p, np.array(PUBLISHED, object)), "'keys' holds Python obj"),
        (
            "v.npz",
            lambda p: write_npz_one_array_a_key(p, vectors=OBJECTS),
            rf"{KEY} holds Python objects",
        ),
        ("v.npz", lambda p: write_npz_one_array_a_key(p, vectors=[TEXT] * 6), rf"{KEY} .*text"),
        ("v.csv", lambda p: csv_lines(p, "0.1,,0.3,0.4"), rf"{KEY} has an empty cell"),
        ("v.csv", lambda p: csv_lines(p, "0.1,0.2,0.3,"), rf"{KEY} has an empty cell"),
        ("v.csv", lambda p: csv_lines(p, "0.1,x,0.3,0.4"), rf"{KEY} has 'x', which is no number"),
        ("v.csv", lambda p: csv_lines(p, "0.1,NA,0.3,0.4"), rf"{KEY} has 'NA', which is no number"),
        ("v.txt", lambda p: word2vec_lines(p, "0.1 x 0.3 0.4"), "'no_finding_a_number_0' has 'x'"),
        ("v.txt", lambda p: word2vec_lines(p, "1 2 3+1j 4"), r"has '3\+1j', which is no number"),
        ("v.txt", lambda p: word2vec_lines(p, "1 2 nan 4"), "'no_finding_a_number_0' .*NaN or inf"),
        ("v.txt", lambda p: word2vec_lines(p, ""), "'no_finding_a_number_0' is empty"),
        (
            "v.parquet",
            lambda p: write_parquet_lists(p, [None, *PUBLISHED[1:]]),
            "column 'token' has no key in row 1",
        ),
        (
            "v.parquet",
            lambda p: parquet(p, vector=[[1.0, None], *VECTORS[1:, :2]]),
            rf"{KEY} has an empty cell",
        ),
        ("v.parquet", lambda p: parquet(p, vector=[None, *VECTORS[1:]]), rf"{KEY} is empty"),
        ("v.parquet", lambda p: parquet(p, a=VECTORS[:, 0], b=DAYS), "'b' .*timestamp"),
        (
            "v.parquet",
            lambda p: parquet(p, a=VECTORS[:, 0], b=list(VECTORS)),
            "'b' .*list<.*float>",
        ),
        ("v.parquet", lambda p: parquet(p, b=[[d] for d in DAYS]), "'b' .*list<.*timestamp"),
        (
            "v.parquet",
            lambda p: parquet(p, a=VECTORS[:, 0], b=[None, *VECTORS[1:, 1].tolist()]),
            rf"{KEY} has an empty cell|{KEY} .*NaN or infinity",
        ),
    ],
)
def test_what_is_no_vector_is_named_before_any_job(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises(StudyError, match=message) as error:
        check_embedding("p", config(tmp_path / name), VOCABULARY, tmp_path)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(StudyError, match=message):
        embed("p", config(tmp_path / name), VOCABULARY, tmp_path)


def test_what_no_token_uses_need_not_be_a_vector(tmp_path):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        for key, vector in zip(PUBLISHED, VECTORS, strict=True):
            file[key] = vector
        file["made by"] = "somebody"
    np.testing.assert_array_equal(load(tmp_path / "v.h5", tmp_path).vectors, VECTORS)


def test_integers_and_numbers_of_any_precision_are_vectors(tmp_path):
    for kind in (np.int64, np.uint8, np.float16, np.float64, np.bool_):
        vectors = (np.arange(24).reshape(6, 4) % 5).astype(kind)
        write_npz(tmp_path / "v.npz", vectors=vectors)
        np.testing.assert_array_equal(load(tmp_path / "v.npz", tmp_path).vectors, vectors)


def test_the_index_that_pandas_stores_is_no_dimension(tmp_path):
    columns = {f"d{i}": VECTORS[:, i] for i in range(4)}
    frame = pd.DataFrame({"token": PUBLISHED, **columns}).sample(frac=1, random_state=1)
    frame.to_parquet(tmp_path / "v.parquet")
    np.testing.assert_array_equal(load(tmp_path / "v.parquet", tmp_path).vectors, VECTORS)


def test_quoted_cells_are_those_of_the_csv_module(tmp_path):
    with (tmp_path / "v.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["key", *"abcd"])
        for key, vector in zip(PUBLISHED, VECTORS.tolist(), strict=True):
            writer.writerow([f'{key}, as "they" say', *vector])
    np.testing.assert_array_equal(load(tmp_path / "v.csv", tmp_path).vectors, VECTORS)
