"""Language models in the workflow: adapted to documents that never test, and read as embeddings."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import planned, run_study
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
TESTING = 48  # the number of the first document that tests
SHORT = {"steps": 3, "batch_size": 4}
TINY = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 16, "min_count": 1}


def write_site(path: Path, texts: list[str], came_back: int = 0) -> None:
    """Documents of the patients p0 to p49, and a second one, which tests, of ten of them from this
    number on; the last twelve test."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["who", "day", "kind", "words", "label"])
        for number, text in enumerate(texts):
            who = f"p{number if number < 50 else number - 50 + came_back}"
            day = f"2024-{1 + 6 * (number >= TESTING):02d}-10"
            rows.writerow([who, day, f"kind {number % 3}", text, number // 2 % 2])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two sites of dated documents; of each, the last twelve test, and hold a word of their own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    for seed, site in enumerate(("east", "west")):
        texts = documents(60, seed)
        planted = [f"{text} {PLANTED}" if n >= TESTING else text for n, text in enumerate(texts)]
        write_site(tmp_path / f"{site}.csv", planted)
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


@pytest.mark.parametrize("shared", [False, True])
def test_weights_do_not_depend_on_what_those_who_test_have_written(
    tmp_path: Path, config: dict[str, Any], shared: bool
) -> None:
    """Of a base and from scratch: at the own site, and where identifiers are shared at any."""
    own = config["encoders"].pop("own") | {"sites": ["east", "west"], "batch_size": 100}
    scratch = {**own, "base": None, "scratch": TINY}
    config["encoders"] |= {"own": own, "new": scratch}
    config["embeddings"]["fresh"] = {**config["embeddings"]["read"], "model": "adapted:new"}
    config["split"]["shared_identifiers"] = shared
    back = {"east": 0, "west": 20}  # from this number on ten patients come back, and then test
    late = set(range(TESTING, 60))
    those = {site: late | set(range(first, first + 10)) for site, first in back.items()}
    if shared:
        those = dict.fromkeys(back, those["east"] | those["west"])
    only_there = 25  # tests at west alone

    def learned(name: str, changed: dict[str, set[int]]) -> dict[str, bytes]:
        for seed, site in enumerate(back):
            texts, others = documents(60, seed), documents(60, 7 + seed)
            for number in changed[site]:
                texts[number] = f"{others[number]} {PLANTED}"
            write_site(tmp_path / name / f"{site}.csv", texts, back[site])
            config["sites"][site]["path"] = str(tmp_path / name / f"{site}.csv")
        results = run_study(tmp_path / name, config, "encoders")
        models = [*results.glob("encoders/own/0/model/*"), *results.glob("encoders/new/0/model/*")]
        return {str(file.relative_to(results)): file.read_bytes() for file in models}

    plain = learned("plain", {"east": set(), "west": set()})
    assert sum(name.endswith(".safetensors") for name in plain) == 2
    assert learned("planted", those) == plain
    more = learned("more", {"east": {15 if shared else only_there}, "west": set()})
    assert {name for name in plain if more[name] != plain[name]} >= {
        f"encoders/{name}/0/model/model.safetensors" for name in ("own", "new")
    }


def test_language_models_ask_for_a_gpu(tmp_path: Path, config: dict[str, Any]) -> None:
    config["classifiers"] = ["document", "tfidf"]
    config |= {"resources": {"device": "cuda", "gpu": 1}, "pairs": [["east", "west"]]}
    with planned(tmp_path, config) as jobs:
        asked = {
            job.rule.name: (job.resources.gpu, job.resources.device)
            for job in jobs
            if "gpu" in job.rule.resources
        }
    on_gpu = dict.fromkeys(["adapt", "embed", "encode_documents", "train_local_document"], 1)
    assert asked == {
        name: (gpu, "cuda") for name, gpu in (on_gpu | {"train_local_simple": 0}).items()
    }


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
