"""The learner `document`: vectors, heads and tuning against plain ways to compute them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cell_data import from_source, predict, workbench
from document_data import document_site, language_model, write_language_model
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from transformers import AutoModel, AutoTokenizer

from concept_transfer.errors import StudyError
from concept_transfer.inputs.text import Texts
from concept_transfer.learners.document import Document
from concept_transfer.models.document_models import DocumentModels, collected
from concept_transfer.models.document_reader import Body, LanguageModelFiles, by_length, vectors_of
from concept_transfer.models.document_vectors import read_vectors, write_vectors
from concept_transfer.models.multinomial import Classes, Multinomial, fit
from concept_transfer.models.neighbours import Neighbours
from concept_transfer.models.penalties import VARIANCES
from concept_transfer.pretraining.text import adapt
from concept_transfer.pretraining.text.documents import Readable
from concept_transfer.progress import Progress
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.settings.training import Training
from concept_transfer.training.block import Block
from concept_transfer.training.document_heads import Heads, fit_heads, fit_neighbours
from concept_transfer.training.document_network import (
    Labelled,
    Network,
    Rates,
    tuned_parameters,
)

SETTINGS = Training.model_validate({})
FILES = LanguageModelFiles(language_model())


def test_vectors_are_the_means_of_tokens_whatever_shares_their_batch() -> None:
    texts = ["word1 word2", "", "word3 " * 100, "word4", "unknown word5 word6"]
    body = Body(FILES, {})
    found = body.features(Texts.of(texts), np.arange(5), "cpu", lambda count: None)
    network = AutoModel.from_pretrained(FILES.folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(FILES.folder / "model")
    for text, vector in zip(texts, found, strict=True):
        ids = tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
        with torch.inference_mode():
            mean = network(**ids).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(vector, 10 * mean / mean.norm(), atol=1e-5)
    assert [len(ids) for ids in FILES.tokens(texts)] == [4, 2, 32, 3, 5]


def test_batches_hold_every_document_once_and_no_more_than_they_may() -> None:
    rng = np.random.default_rng(0)
    documents = [[1] * length for length in rng.integers(0, 40, 200)]
    for generator in (None, rng):
        batches = list(by_length(documents, 100, generator))
        assert sorted(row for batch in batches for row in batch) == list(range(200))
        for batch in batches:
            longest = max(len(documents[row]) for row in batch)
            assert len(batch) * max(longest, 1) <= 100
    assert len(list(by_length(documents, 100))) < 80


def test_vectors_are_computed_once_and_kept_from_others(tmp_path: Path) -> None:
    folder = shutil.copytree(FILES.folder, tmp_path / "tiny" / "0")
    site = document_site("north", 30)
    written = write_vectors(folder, "north", site.inputs["text"], "cpu", lambda count: None)
    np.testing.assert_array_equal(read_vectors(folder, "north", 30), written)
    file = folder / "documents" / "north.npy"
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    with pytest.raises(StudyError, match="30 vectors, but site north has 31 documents"):
        read_vectors(folder, "north", 31)


def labelled(count: int = 120, seed: int = 1) -> tuple[Classes, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count).astype(np.int8)
    features = rng.standard_normal((count, 6)) + 1.5 * np.eye(6)[labels]
    return Classes(features, labels, np.ones(count), 3), np.arange(count) % 4


def test_a_head_is_a_ridge_regression_at_the_best_slope() -> None:
    data, folds = labelled()
    heads = fit_heads(data, folds)
    found = heads.of_all.predict_proba(data.findings)
    plain = [fit(data, variance).predict_proba(data.findings) for variance in VARIANCES]
    ranks = [np.array_equal(each.argmax(1), found.argmax(1)) for each in plain]
    assert any(ranks)
    logs = np.log(found) - np.log(found).mean(1, keepdims=True)
    ratios = [logs / (np.log(each) - np.log(each).mean(1, keepdims=True)) for each in plain]
    assert any(np.allclose(ratio, ratio[0, 0], rtol=1e-4) for ratio in ratios)


@pytest.mark.parametrize("fit_any", [fit_heads, fit_neighbours])
def test_what_is_held_of_a_document_does_not_know_it(fit_any: Callable[..., Any]) -> None:
    """Labels that say nothing of the features: only who has seen them can tell them."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300).astype(np.int8)
    data = Classes(rng.standard_normal((300, 100)), labels, np.ones(300), 3)
    found = fit_any(data, np.arange(300) % 5)
    held = found.held if isinstance(found, Heads) else found[1]
    assert np.isfinite(held).all()
    assert (held.argmax(axis=1) == labels).mean() < 0.43


def test_neighbours_vote_as_scikit_learn_counts_them() -> None:
    data, folds = labelled()
    model, held = fit_neighbours(data, folds)
    assert np.isfinite(held).all()
    one = Neighbours.of(data.findings, data.labels, data.weights, 3, 7)
    near = KNeighborsClassifier(
        7, metric="cosine", weights=lambda distance: np.exp(-distance / 0.1)
    ).fit(data.findings, data.labels)
    seen = np.random.default_rng(2).standard_normal((40, 6))
    votes = near.predict_proba(seen)
    found = one.predict_proba(seen)
    agree = found.argmax(1) == votes.argmax(1)
    assert agree.all()
    np.testing.assert_allclose(found.sum(1), 1)
    assert model.number in (10, 20, 40, 80)


@pytest.mark.parametrize("layers", [1, 2, None])
def test_tuning_changes_the_last_layers_alone(layers: int | None) -> None:
    names = tuned_parameters(Body(FILES, {}).reader(), layers).keys()
    told = {name.split(".")[3] for name in names if ".layer." in name}
    assert told == ({"1"} if layers == 1 else {"0", "1"})
    assert any("embeddings" in name for name in names) == (layers is None)


@pytest.mark.parametrize(("objective", "epochs"), [("classes", 4), ("contrast", 1)])
def test_full_tuning_learns_what_the_encoder_does_not_know(objective: str, epochs: int) -> None:
    """An untrained network, of which a head on frozen vectors sees little."""
    count = 200 if objective == "classes" else 100
    near, far = document_site("near", count, seed=1), document_site("far", 150, seed=2)
    settings = {"epochs": epochs, "learning_rate": 2e-2, "head_rate": 1e-2, "layers": None}
    settings["objective"] = objective
    bench = workbench(Block(0, [0]), learner="document", classes=3, **settings)
    scores = {}
    for strategy in ("direct", "linear", "full"):
        size = "0" if strategy == "direct" else "80"
        labels, said, _ = from_source(bench, far, strategy, size, SETTINGS, near).tested(0)
        scores[strategy] = float((labels == said.argmax(axis=1)).mean())
    assert scores["full"] > 0.6
    assert scores["full"] >= scores["linear"] - 0.02


def test_contrast_changes_the_last_layer_and_fits_the_head_anew() -> None:
    site = document_site("near", 60)
    tokens = FILES.tokens([site.inputs["text"][row] for row in range(60)])
    documents = Labelled(tokens, site.labels.astype(np.int64), np.ones(60))
    first = Multinomial(np.random.default_rng(0).standard_normal((3, 8)), np.zeros(3))
    rates = Rates(1e-2, 1e-2, 16, layers=1, contrast=True)
    network = Network(
        Body(FILES, {}), first, documents, rates, [0], "cpu", Progress("documents", 60)
    )
    network.learn(1)
    body, head = network.model()
    assert body.weights.keys() == tuned_parameters(body.reader(), 1).keys()
    vectors = vectors_of(body.reader(), tokens, "cpu").astype(float)
    best = fit(Classes(vectors, site.labels, np.ones(60), 3), VARIANCES[-1])
    lost = [log_loss(site.labels, each.predict_proba(vectors)) for each in (best, head, first)]
    assert lost[0] - 1e-6 <= lost[1] < np.log(3) < lost[2]


@pytest.mark.parametrize("fewest", [0, 4])
def test_held_out_labels_end_tuning_but_not_before_so_many_epochs(fewest: int) -> None:
    """Labels that no word tells of, which a network that learns them by heart predicts worse."""
    site = document_site("near", 150)
    labels = np.random.default_rng(3).permutation(site.labels)
    known = replace(site, cohort=replace(site.cohort, labels=labels))
    settings = {"epochs": 4, "learning_rate": 5e-2, "head_rate": 5e-2, "layers": None}
    bench = workbench(Block(0, [0]), learner="document", classes=3, fewest=fewest, **settings)
    found = predict(bench, known, "local", "all", SETTINGS)
    assert [record["epochs"] == 4 for record in found.records] == [fewest == 4]


def test_more_epochs_than_there_are_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="'fewest' is 3, more than 'epochs', 2"):
        Document(kind="document", epochs=2, fewest=3)


def test_models_are_read_as_they_were_written_and_only_with_their_encoder(tmp_path: Path) -> None:
    body = Body(FILES, {})
    name = next(iter(tuned_parameters(body.reader(), 1)))
    changed = Body(FILES, {name: np.full(body.reader().state_dict()[name].shape, 0.5, np.float32)})
    head = Multinomial(np.ones((3, 8)), np.zeros(3))
    models = collected([(body, head), (changed, head), (body, head)])
    models.write(tmp_path)
    read = DocumentModels.read(tmp_path, "linear", [FILES])
    assert read.of == (0, 1, 0)
    tokens = FILES.tokens(["word1 word2"])
    for one, other in zip(models.bodies, read.bodies, strict=True):
        np.testing.assert_array_equal(
            vectors_of(one.reader(), tokens, "cpu"), vectors_of(other.reader(), tokens, "cpu")
        )
    assert (tmp_path / "models.safetensors").stat().st_size < 10_000
    other = LanguageModelFiles(write_language_model(tmp_path / "other" / "0", seed=9))
    with pytest.raises(StudyError, match="made with another language model"):
        DocumentModels.read(tmp_path, "linear", [other])


def test_the_encoder_may_be_one_that_has_read_documents(tmp_path: Path) -> None:
    """Features are the vectors of the adapted model, and no longer those of its base."""
    near, far = document_site("near", 120, seed=1), document_site("far", 120, seed=2)
    texts, folder = near.inputs["text"], tmp_path / "own" / "0"
    folder.mkdir(parents=True)
    kinds, labels = np.full(120, -1), near.labels.astype(np.int64)
    readable = Readable((texts,), np.arange(120), kinds, (), labels)
    chosen = {"base": str(FILES.folder / "model"), "steps": 4, "learning_rate": 1e-2}
    settings = TextEncoder.model_validate({"kind": "text", "sites": ["near"], **chosen})
    adapt.write_language_model(folder, "encoders.own", settings, (1, 0), Path(), readable)
    rows = np.arange(9)
    own, base = (
        Body(files, {}).features(texts, rows, "cpu", lambda count: None)
        for files in (LanguageModelFiles(folder), FILES)
    )
    assert abs(own - base).max() > 0.1
    network = AutoModel.from_pretrained(folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    with torch.inference_mode():
        mean = network(**tokenizer(texts[0], return_tensors="pt")).last_hidden_state[0].mean(0)
    np.testing.assert_allclose(own[0], 10 * mean / mean.norm(), atol=1e-4)
    bench = workbench(Block(0, [0]), learner="document", classes=3, epochs=2)
    bench = replace(bench, context=replace(bench.context, encoders=(folder,)))
    for strategy, size in (("direct", "0"), ("full", "60")):
        said = from_source(bench, far, strategy, size, SETTINGS, near).tested(0)[1]
        assert np.isfinite(said).all()
