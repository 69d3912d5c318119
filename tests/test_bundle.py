"""A bundle survives the journey to another institution, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cell_data import workbench

from concept_transfer.concepts.differences import first_difference
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.models.bundle import ModelCard, read_bundle, write_bundle
from concept_transfer.models.cnn import Weights
from concept_transfer.training.block import Block
from concept_transfer.training.draws import initial_weights

FILES = {
    "weights.safetensors",
    "card.json",
    "vocabulary.tsv",
    "embedding.safetensors",
    "embedding.json",
    "manifest.json",
}


def vocabulary(*names: str) -> Vocabulary:
    count = len(names)
    return Vocabulary(
        tuple(f"C{i}" for i in range(count)),
        names,
        ("finding",) * count,
        ("present",) * count,
        names,
    )


VOCABULARY = vocabulary("fever", "cough", "chills")
VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4) + 1
TABLE = EmbeddingTable.create("bert", "precomputed", VECTORS, VOCABULARY)
WEIGHTS = initial_weights(torch.tensor([1, 2]), 4, 5)
CARD = ModelCard(
    study="demo",
    site="north",
    source="",
    strategy=None,
    target_size="all",
    classes=["no", "influenza"],
    learner={"kind": "cnn"},
    label="influenza",
    seed=0,
    replicates=[{"replicate": 0, "status": "ok"}, {"replicate": 1, "status": "diverged"}],
    training={"epochs": 3},
    embedding="bert",
    vocabulary_digest=VOCABULARY.digest,
    encounters=120,
    version="0.1.0",
)


CNNS = workbench(Block(0, [0, 1]), VECTORS).everyone()


def write(folder: Path, weights: Weights, card: ModelCard, *words_and_table: object) -> None:
    write_bundle(folder, lambda inside: CNNS.write(weights, inside), card, *words_and_table)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    write(folder, WEIGHTS, CARD, VOCABULARY, TABLE)
    return folder


def test_a_bundle_reads_back_as_it_was_written(bundle: Path) -> None:
    read = read_bundle(bundle, VOCABULARY, TABLE)
    weights = CNNS.read(bundle)
    assert isinstance(weights, Weights)
    for name, value in vars(WEIGHTS).items():
        assert torch.equal(getattr(weights, name), value)
    assert read.card == CARD
    assert read.vocabulary.digest == VOCABULARY.digest
    assert read.table is not None
    assert np.array_equal(read.table.vectors, VECTORS)


def test_a_bundle_holds_its_files_and_only_tensors_of_weights(bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == FILES
    card = json.loads((bundle / "card.json").read_text())
    assert set(card) == set(ModelCard.__dataclass_fields__)


@pytest.mark.parametrize("missing", sorted(FILES))
def test_a_missing_file_is_named(bundle: Path, missing: str) -> None:
    (bundle / missing).unlink()
    with pytest.raises(StudyError, match=missing):
        read_bundle(bundle)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_with_any_byte_altered_is_refused_by_name(bundle: Path, name: str) -> None:
    content = (bundle / name).read_bytes()
    rng = np.random.default_rng(0)
    places = {0, len(content) - 1, *rng.integers(len(content), size=60).tolist()}
    for place in places:
        altered = bytearray(content)
        altered[place] ^= 1 << int(rng.integers(8))
        (bundle / name).write_bytes(altered)
        with pytest.raises(StudyError, match=name):
            read_bundle(bundle)
    (bundle / name).write_bytes(content[:-1])
    with pytest.raises(StudyError, match=name):
        read_bundle(bundle)
    (bundle / name).write_bytes(content)
    read_bundle(bundle)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "patients"])
def test_a_file_that_was_added_is_refused_by_name(bundle: Path, name: str) -> None:
    (bundle / name).mkdir() if name == "patients" else (bundle / name).write_text("")
    with pytest.raises(StudyError, match=f"{name} was added"):
        read_bundle(bundle)


def test_a_manifest_of_another_shape_is_no_traceback(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("[]\n")
    with pytest.raises(StudyError, match=r"manifest\.json was changed"):
        read_bundle(bundle)


def test_what_a_bundle_is_written_over_is_gone(bundle: Path) -> None:
    write_bundle(bundle, lambda folder: None, CARD, VOCABULARY, None)
    assert {path.name for path in bundle.iterdir()} == {
        "card.json",
        "vocabulary.tsv",
        "manifest.json",
    }
    read_bundle(bundle)


def test_a_damaged_file_of_a_learner_is_no_traceback(bundle: Path) -> None:
    (bundle / "weights.safetensors").write_bytes(b"nonsense")
    with pytest.raises(StudyError, match="no complete model bundle"):
        CNNS.read(bundle)


@pytest.mark.parametrize(("number", "remedy"), [(2, "run again"), (99, "newer version")])
def test_another_format_is_refused_in_a_sentence(bundle: Path, number: int, remedy: str) -> None:
    content = json.loads((bundle / "card.json").read_text())
    (bundle / "card.json").write_text(json.dumps(content | {"format": number}))
    with pytest.raises(StudyError, match=f"format {number}; this version reads .*{remedy}"):
        read_bundle(bundle)


def test_weights_that_do_not_fit_the_table_are_refused(tmp_path: Path) -> None:
    wide = initial_weights(torch.tensor([1, 2]), 7, 5)
    write(tmp_path / "bundle", wide, CARD, VOCABULARY, TABLE)
    with pytest.raises(StudyError, match=r"width 7.*width 4"):
        CNNS.read(read_bundle(tmp_path / "bundle").folder)


def test_another_vocabulary_is_refused_by_both_digests(bundle: Path) -> None:
    other = vocabulary("fever", "cough", "rash")
    with pytest.raises(StudyError) as error:
        read_bundle(bundle, other)
    assert VOCABULARY.identity[:12] in str(error.value)
    assert other.identity[:12] in str(error.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"names": ("x", "x", "z")}, "token 3: 'present' of C1 (y) there, 'present' of C1 (z)"),
        ({"states": ("low", "top", "present")}, "token 2: 'high' of C0 (x), from 5 there, 'top'"),
        ({"lowers": ("-inf", "6", "")}, "'high' of C0 (x), from 5 there, 'high' of C0 (x), from 6"),
        ({"lowers": ()}, "token 1: 'low' of C0 (x), from -inf there, 'low' of C0 (x) here"),
    ],
)
def test_the_first_token_that_differs_is_named(changes: dict[str, Any], says: str) -> None:
    words = replace(VOCABULARY, concepts=("C0", "C0", "C1"), names=("x", "x", "y"))
    words = replace(words, states=("low", "high", "present"), lowers=("-inf", "5", ""))
    assert says in first_difference(words, replace(words, **changes))


def test_a_vocabulary_that_ends_sooner_differs_there() -> None:
    more, fewer = vocabulary("fever", "cough", "rash"), vocabulary("fever", "cough")
    assert "token 3: none there, 'present' of " in first_difference(fewer, more)
    assert " there, none here" in first_difference(more, fewer)


def test_another_wording_is_accepted_and_another_unit_is_not(tmp_path: Path) -> None:
    states = ("below 5 mg", "5 mg or more", "present")
    words = replace(VOCABULARY, concepts=("C0", "C0", "C1"), names=("x", "x", "y"), states=states)
    words = replace(words, lowers=("-inf", "5", ""))
    card = replace(CARD, vocabulary_digest=words.digest)
    table = EmbeddingTable.create("bert", "precomputed", VECTORS, words)
    write(tmp_path / "b", WEIGHTS, card, words, table)
    read = read_bundle(tmp_path / "b", replace(words, texts=("few", "many", "cough")))
    assert read.vocabulary == words
    for changes in (
        {"states": ("below 5 g", "5 g or more", "present")},
        {"lowers": ("-inf", "6", "")},
        {"names": ("z", "z", "y")},
    ):
        with pytest.raises(StudyError, match="was trained on vocabulary"):
            read_bundle(tmp_path / "b", replace(words, **changes))


def test_another_embedding_is_refused_by_both_digests_and_names(bundle: Path) -> None:
    other = EmbeddingTable.create("openai", "precomputed", VECTORS[:, ::-1], VOCABULARY)
    digest = "[0-9a-f]{12}"
    with pytest.raises(StudyError, match=f"'bert' with vectors {digest}, .*'openai'.*{digest}"):
        read_bundle(bundle, VOCABULARY, other)


def test_a_changed_vocabulary_file_is_noticed(bundle: Path, tmp_path: Path) -> None:
    write(tmp_path / "b", WEIGHTS, replace(CARD, vocabulary_digest="0" * 64), VOCABULARY, TABLE)
    with pytest.raises(StudyError, match="changed after it was written"):
        read_bundle(tmp_path / "b")
