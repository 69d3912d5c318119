"""A study of documents through Snakemake: words, language models, and what the report says."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from document_data import MODEL, WORDS, sentences, write_language_model
from in_process import run_study
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score

from concept_transfer import progress
from concept_transfer.cohorts.splits import NEVER_TESTED, Split
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.cache import VARIABLE
from concept_transfer.inputs.registry import INPUTS

REPOSITORY = Path(__file__).resolve().parents[1]
CLASSES = ("heart", "lung", "skin")
PLANTED = "plantedword"  # in documents that test, and nowhere else
SECRET = "secretname"  # in every document


def write_table(path: Path, count: int = 200) -> None:
    """The newest documents test; patients have one each."""
    rng = np.random.default_rng(len(path.stem))
    labels = rng.integers(3, size=count)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["words", "class", "day", "kind"])
        for row, text in enumerate(sentences(labels, len(path.stem), most=9)):
            year = 2021 if row % 3 == 0 else 2020
            words = f"{text} {SECRET} {PLANTED if year == 2021 else ''} n{row}"
            writer.writerow([words, CLASSES[labels[row]], f"{year}-01-01", "note"])


def a_study(folder: Path) -> dict[str, Any]:
    site = {
        "adapter": "documents",
        "text": "words",
        "label": {"column": "class", "classes": {name: [name] for name in CLASSES}},
        "time": "day",
        "category": "kind",
    }
    return {
        "study": "documents",
        "vocabulary": str(REPOSITORY / "resources" / "concepts" / "documents.tsv"),
        "task": {"label": "organ", "classes": list(CLASSES)},
        "sites": {
            name: {**site, "path": str(folder / f"{name}.csv")} for name in ("east", "wests")
        },
        "split": {"by": "time", "test_from": "2021-01-01"},
        "pairs": [["east", "wests"]],
        "embeddings": {
            "one_hot": {"provider": "one_hot"},
            "read": {
                "provider": "transformers",
                "model": str(folder / "base" / MODEL),
                "truncate": True,
            },
        },
        "encoders": {
            "tiny": {"kind": "text", "base": str(folder / "base" / MODEL), "pretrain": False}
        },
        "classifiers": {
            "length": {"kind": "naive_bayes"},
            "words": {"kind": "tfidf"},
            "axes": {"kind": "tfidf", "lsa": 10},
            "document": {"kind": "document", "epochs": 1, "layers": 1},
            "nearest": {"kind": "document", "head": "knn"},
        },
        "strategies": {
            **dict.fromkeys(["local", "direct", "linear", "full"]),
            "pooled": {"source_weight": 0.5},
        },
        "target_sizes": ["all"],
        "replicates": 2,
        "evaluation": {"draws": 100, "small_cells": 5, "min_positives": 5},
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was said meanwhile, of progress too, is in the file `terminal`; vectors of texts are
    kept in `cache`."""
    folder = tmp_path_factory.mktemp("documents")
    for name in ("east", "wests"):
        write_table(folder / f"{name}.csv")
    write_language_model(folder / "base", (*WORDS, PLANTED, SECRET))
    with (folder / "terminal").open("w") as said, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "cache"))
        patch.setattr(progress, "FIRST_LINE", 0.0)
        patch.setattr(progress, "NEXT_LINES", 0.0)
        patch.setattr(sys, "__stderr__", said)
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return run_study(folder, a_study(folder), "all")


def strategies(results: Path, folder: str) -> dict[str, set[str]]:
    estimates = pd.read_parquet(results / f"metrics/wests/{folder}/estimates.parquet")
    found = estimates[estimates["metric"] == "macro_f1"]
    assert found["estimate"].notna().all()
    return found.groupby("classifier", observed=True)["strategy"].agg(set).to_dict()


def test_every_learner_of_documents_has_the_strategies_that_it_can(results: Path) -> None:
    assert strategies(results, "tiny") == {
        "document": {"local", "direct", "linear", "full", "pooled"},
        "nearest": {"local", "direct", "pooled"},
    }
    own = {"local", "direct", "pooled"}
    assert strategies(results, "none") == {"length": own, "words": own, "axes": own}


def test_words_tell_classes_that_length_does_not(results: Path) -> None:
    estimates = pd.read_parquet(results / "metrics/wests/none/estimates.parquet")
    reached = estimates[(estimates["metric"] == "macro_f1") & (estimates["size"] == "all")]
    of = reached[reached["strategy"] == "local"].set_index("classifier")["estimate"]
    assert of["words"] > 0.8
    assert of["axes"] > 0.8
    assert of["length"] < 0.5


def test_words_and_weights_know_nothing_of_documents_that_test(results: Path) -> None:
    texts = list(INPUTS["text"].read(results / "encounters" / "wests"))
    assert any(PLANTED in text for text in texts)
    bundles = [
        *results.rglob("models/**/words/**/models.safetensors"),
        *results.rglob("sources/**/words/**/models.safetensors"),
    ]
    assert bundles
    for bundle in bundles:
        words = bytes(load_file(bundle)["space.0.words"]).decode().split("\n")
        assert SECRET in words
        assert PLANTED not in words


def test_no_word_of_a_document_is_in_logs_reports_or_figures(results: Path) -> None:
    shown = [
        *(results / "logs").rglob("*.log"),
        *(results / "tables").iterdir(),
        *(results / "figures").iterdir(),
        results / "report.html",
        results / "methods.md",
        results / "check.txt",
        *(results / "encounters").rglob("*.json"),
    ]
    assert len(shown) > 30
    for file in shown:
        content = file.read_bytes()
        for word in (SECRET, PLANTED, "word1"):
            assert word.encode() not in content, file


def test_no_word_of_a_document_is_said_on_the_terminal(results: Path) -> None:
    said = (results.parents[1] / "terminal").read_text(encoding="utf-8")
    for line in ("train_local wests ", "encode_documents tiny 0 east: ", " of 200 documents"):
        assert line in said
    for word in (SECRET, PLANTED, *WORDS):
        assert word not in said


def test_the_cache_holds_what_concepts_are_called_and_no_document(results: Path) -> None:
    files = list((results.parents[1] / "cache").rglob("*"))
    cached = {
        bytes(row)
        for file in files
        if file.suffix == ".safetensors"
        for row in load_file(file)["texts"]
    }
    texts = Vocabulary.read(REPOSITORY / "resources" / "concepts" / "documents.tsv").texts
    assert cached == {hashlib.sha256(text.encode()).digest() for text in texts}
    for file in files:
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


def test_vectors_are_computed_by_jobs_of_their_own(results: Path) -> None:
    for site in ("east", "wests"):
        texts = INPUTS["text"].read(results / "encounters" / site)
        vectors = np.load(results / "encoders" / "tiny" / "0" / "documents" / f"{site}.npy")
        assert vectors.shape == (len(texts), 8)
        assert vectors.dtype == np.float32


def test_the_space_of_documents_leaves_out_those_that_test(results: Path) -> None:
    """Its measures, against a plain count, and the points of its map."""
    space = pd.read_parquet(results / "analysis/document_space.parquet").set_index("site")
    points = pd.read_parquet(results / "analysis/document_map.parquet")
    for site in ("east", "wests"):
        split = Split.read(results / f"splits/{site}.parquet")
        kept = split.fold == NEVER_TESTED
        assert 0 < kept.sum() < len(split)
        vectors = np.load(results / f"encoders/tiny/0/documents/{site}.npy")[kept].astype(float)
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        pairs = split.label[kept][:, None] == split.label[kept]
        np.fill_diagonal(pairs, False)
        measured = space.loc[site].set_index("measure")
        cosine = (units @ units.T)[pairs].mean()
        assert measured.loc["same_class", "value"] == pytest.approx(cosine, abs=1e-6)
        assert set(measured["documents"]) == {kept.sum()}
        assert (points["site"] == site).sum() == kept.sum()


def test_the_report_shows_how_documents_lie(results: Path) -> None:
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "How language models arrange documents" in page
    assert "Documents as tiny sees them" in page
    space = pd.read_csv(results / "tables" / "document_space.csv")
    assert len(space) == 2
    points = pd.read_csv(results / "figures" / "document-map_tiny.csv")
    assert set(points) == {"site", "class", "x", "y"}
    report = json.loads((results / "encounters" / "east" / "text_report.json").read_text())
    assert report["documents"] == 200
    assert report["categories"] == {"note": 200}


def test_a_whole_encounter_is_compared_with_its_concepts(tmp_path: Path) -> None:
    """One language model embeds the texts of findings, and reads them all as a document."""
    resources = REPOSITORY / "resources"
    write_language_model(tmp_path / "base", ("Fever", "Cough", "No", "reported"))
    county = {"adapter": "simulated", "encounters": 120}
    cnn = {"classifier": "cnn", "embedding": "concepts", "strategy": "local"}
    whole = {"classifier": "whole", "embedding": "tiny", "strategy": "local"}
    config = {
        "study": "rivals",
        "vocabulary": str(resources / "concepts" / "influenza.tsv"),
        "task": {"label": "influenza", "exclude_categories": ["impression", "lab result"]},
        "sites": {
            name: {**county, "network": str(resources / "networks" / f"{name}.yaml")}
            for name in ("north", "south")
        },
        "split": {"by": "share"},
        "pairs": [["north", "south"]],
        "encoders": {
            "tiny": {"kind": "text", "base": str(tmp_path / "base" / MODEL), "pretrain": False}
        },
        "embeddings": {"concepts": {"provider": "transformers", "model": "adapted:tiny"}},
        "classifiers": {"cnn": None, "whole": {"kind": "document", "epochs": 0}},
        "strategies": ["local"],
        "target_sizes": ["all"],
        "replicates": 2,
        "training": {"epochs": 1, "filters": 4},
        "evaluation": {"draws": 100, "small_cells": 5, "min_positives": 5},
        "claims": [
            {"text": "rivals", "tests": [{"under": "all", "better": whole, "than": cnn}]},
        ],
    }
    results = run_study(tmp_path, config, "results/rivals/answers.json")
    (claims,) = (
        answer["rows"]
        for answer in json.loads((results / "answers.json").read_text(encoding="utf-8"))
        if answer["name"] == "claims"
    )
    tested = []
    for cell in ("tiny/whole", "concepts/cnn"):
        found = pd.read_parquet(results / f"predictions/south/{cell}/local/all/block0.parquet")
        tested.append(found[found["partition"] == "test"].groupby("replicate"))
    one, other = (cells["encounter"].agg(set).tolist() for cells in tested)
    assert one == other
    reached = [
        np.mean([roc_auc_score(each["label"], each["probability"]) for _, each in cells])
        for cells in tested
    ]
    (claim,) = claims
    assert claim["difference"] == pytest.approx(reached[0] - reached[1])
