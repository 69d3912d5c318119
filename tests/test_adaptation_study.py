"""Language models in the workflow: adapted to documents that never test, and read as embeddings."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import run_study
from text_data import WORDS, documents, save_base

from concept_transfer.cohorts.untested import read_cohorts
from concept_transfer.comparison.contrasts import controls_of_encoder
from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings.cache import VARIABLE
from concept_transfer.embeddings.table import EmbeddingTable
from concept_transfer.errors import StudyError
from concept_transfer.pretraining.text.files import LanguageModelCard
from concept_transfer.pretraining.text.reading import read_documents
from concept_transfer.reporting.methods_of_encoders import language_models
from concept_transfer.study import load_study

RESOURCES = Path(__file__).resolve().parents[1] / "resources"
VOCABULARY = RESOURCES / "concepts" / "documents.tsv"
PLANTED = "quxquux"
SHORT = {"steps": 3, "batch_size": 4}
TINY = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 16, "min_count": 1}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two sites of dated documents; of each, the last twelve test, and hold a word of their own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    for seed, site in enumerate(("east", "west")):
        texts = documents(60, seed)
        with (tmp_path / f"{site}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["who", "day", "kind", "words", "label"])
            for number, text in enumerate(texts):
                tests = number >= 48
                who = f"p{number if number < 50 else number - 50}"  # ten of them had been there
                day = f"2024-{1 + 6 * tests:02d}-10"
                words = f"{text} {PLANTED}" if tests else text
                rows.writerow([who, day, f"kind {number % 3}", words, number // 2 % 2])
    base = str(save_base("bert", tmp_path / "base"))
    site = {
        "adapter": "documents",
        "text": "words",
        "label": {"column": "label", "positive": ["1"], "negative": ["0"]},
    }
    site |= {"patient": "who", "time": "day", "category": "kind"}
    texts = {"provider": "transformers", "truncate": True}
    return {
        "study": "tiny",
        "vocabulary": str(VOCABULARY),
        "task": {"label": "kind"},
        "sites": {
            name: {**site, "path": str(tmp_path / f"{name}.csv")} for name in ("east", "west")
        },
        "split": {"by": "time", "test_from": "2024-06-01"},
        "embeddings": {
            "tiny": {**texts, "model": base},
            "same": {**texts, "model": "adapted:base"},
            "read": {**texts, "model": "adapted:own"},
        },
        "encoders": {
            "base": {"kind": "text", "base": base, "pretrain": False},
            "own": {"kind": "text", "base": base, "sites": ["east"], **SHORT},
        },
        "classifiers": ["logistic"],
        "strategies": ["local"],
    }


def test_embeddings_are_read_by_adapted_models_and_by_bases(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    results = run_study(tmp_path, config, "embeddings")
    vocabulary = Vocabulary.read(VOCABULARY)
    tiny, same, read = (
        EmbeddingTable.read(results / "embeddings" / f"{name}.safetensors", vocabulary)
        for name in ("tiny", "same", "read")
    )
    np.testing.assert_array_equal(tiny.vectors, same.vectors)
    assert not np.allclose(tiny.vectors, read.vectors)
    assert read.card.model == "adapted:own"
    kept = list((tmp_path / "cache").rglob("*.safetensors"))
    assert len(kept) == 1  # of the base, as embedding; what documents have taught is not shared
    assert not (results / "encounters" / "west" / "text_data.npy").exists()


def test_nothing_of_a_document_that_tests_is_learned(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    config["encoders"] = {
        "own": {"kind": "text", "sites": ["east", "west"], "scratch": TINY, **SHORT},
    }
    config["encoders"]["kinds"] = {
        **config["encoders"]["own"],
        "objectives": {"contrastive": 1, "mlm": 1, "metadata": 0.1},
        "metadata": "contrastive",
    }
    config["embeddings"] = {
        f"read_by_{name}": {
            "provider": "transformers",
            "model": f"adapted:{name}",
            "truncate": True,
        }
        for name in ("own", "kinds")
    }
    results = run_study(tmp_path, config, "encoders")
    for name in ("own", "kinds"):
        folder = results / "encoders" / name / "0"
        learned = json.loads((folder / "model" / "tokenizer.json").read_text())["model"]["vocab"]
        assert set(WORDS[:20]) < set(learned)
        assert not any("q" in piece for piece in learned)
        card = LanguageModelCard.read(folder)
        assert card.facts["documents"] == 2 * 38
        log = (results / "logs" / "adapt" / name / "0.log").read_text()
        assert "76 documents" in log
        for said in (
            log,
            (folder / "encoder.json").read_text(),
            (folder / "history.tsv").read_text(),
        ):
            assert not any(word in said for word in (PLANTED, *WORDS))
    assert card.facts["categories"] == 3
    files = [results / "encounters" / name for name in ("east", "west")]
    readable = read_documents(
        [str(file / "text_data.npy") for file in files],
        read_cohorts(
            [str(file / "encounters.parquet") for file in files],
            [str(results / "splits" / f"{file.name}.parquet") for file in files],
        ),
        False,
    )
    assert len(readable) == 76
    assert next(iter(readable)) == documents(60, 0)[10]
    assert not any(PLANTED in text for text in readable)
    assert readable.names == ("kind 0", "kind 1", "kind 2")
    assert readable.categories.tolist() == [number % 3 for number in range(10, 48)] * 2
    assert len(set(readable.patients.tolist())) == 76


@pytest.mark.parametrize("name", ["other", "codes"])
def test_only_language_models_of_the_study_are_read(config: dict[str, Any], name: str) -> None:
    config["encoders"]["codes"] = {"sites": ["east"]}
    config["classifiers"].append("history")
    config["embeddings"]["read"]["model"] = f"adapted:{name}"
    with pytest.raises(StudyError, match=rf"embeddings\.read is read by the encoder '{name}'.*are"):
        load_study(config)


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        ({"kind": "words"}, "encoders.new: the kind of an encoder is 'codes' or 'text'"),
        ({"kind": "text", "sites": ["north"]}, "encoders.new names the site 'north'"),
        ({"kind": "text", "sites": ["east"], "tokens": 0}, "encoders.new.tokens"),
        ({"sites": ["east"]}, "no classifier takes an encoder of kind codes"),
    ],
)
def test_encoders_that_make_no_sense_are_refused(
    config: dict[str, Any], encoder: dict[str, Any], said: str
) -> None:
    config["encoders"]["new"] = encoder
    config["embeddings"]["new_one"] = {**config["embeddings"]["read"], "model": "adapted:new"}
    if "kind" not in encoder:
        del config["embeddings"]["new_one"]
    with pytest.raises(StudyError, match=said):
        load_study(config)


def test_under_folds_only_bases_as_they_are_can_be_read(config: dict[str, Any]) -> None:
    config["split"] = {"by": "folds", "folds": 3}
    with pytest.raises(StudyError, match=r"encoders\.own: .* under split\.by: folds everybody"):
        load_study(config)
    del config["encoders"]["own"], config["embeddings"]["read"]
    load_study(config)


def test_adapted_models_meet_their_bases(config: dict[str, Any]) -> None:
    base = config["encoders"]["base"]
    config["encoders"] |= {
        "lower": {**base, "layers": 1},
        "lower_own": {**config["encoders"]["own"], "layers": 1, "tokens": 7, "steps": None},
        "new": {"kind": "text", "sites": ["east"], "scratch": TINY},
        "untrained": {"kind": "text", "sites": ["east"], "scratch": TINY, "pretrain": False},
    }
    config["classifiers"] = ["document"]
    study = load_study(config)
    pairs = {"own": ["base"], "lower_own": ["lower"], "new": ["untrained"]}
    assert {name: controls_of_encoder(study, name) for name in study.encoders} == {
        name: pairs.get(name, []) for name in study.encoders
    }
    assert [name for name in study.encoders if study.is_control(name)] == ["untrained"]
    told = language_models(study)
    assert "own (" in told
    assert "for 3 steps, 4 documents a step" in told
    assert "its lowest 1 layer, as it is" in told
    assert "Controls: untrained." in told
