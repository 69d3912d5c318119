"""Language models that are adapted: what they learn, what stays, and that a killed one goes on."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from text_data import FAMILIES, WORDS, documents, readable_of, save_base

from concept_transfer.embeddings.language_model import LanguageModel
from concept_transfer.errors import StudyError
from concept_transfer.pretraining.text import adapt, learning
from concept_transfer.pretraining.text.adapt import CHECKPOINT, STEPS, write_language_model
from concept_transfer.pretraining.text.documents import Readable
from concept_transfer.pretraining.text.files import FILES, LOG, MODEL, LanguageModelCard
from concept_transfer.settings.text_encoders import TextEncoder

FAST = {"steps": 4, "batch_size": 6, "longest_span": 12, "learning_rate": 1e-3}
ALL = {"objectives": {"mlm": 1, "contrastive": 0.5, "metadata": 0.1}}
SEED = (3, 0)
PRECISIONS = ("float32", "bfloat16")


def settings_of(base: Path | None, **changes: Any) -> TextEncoder:
    chosen = {"kind": "text", "sites": ["a"], **FAST, **changes}
    return TextEncoder.model_validate(chosen | {"base": str(base) if base else None})


def learnable(count: int = 60) -> Readable:
    """Documents of two topics, which are their categories; labels know nothing of them."""
    rng = np.random.default_rng(1)
    kinds = [number % 2 for number in range(count)]
    return readable_of(documents(count), kinds, rng.integers(2, size=count).tolist())


def written(
    folder: Path, settings: TextEncoder, readable: Readable | None = None, seed=SEED
) -> dict[str, torch.Tensor]:
    """The weights that are written into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    readable = readable or learnable()
    write_language_model(folder, "encoders.m", settings, seed, Path(), readable)
    assert sorted(FILES) == sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )
    return load_file(folder / MODEL / "model.safetensors")


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG).open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_all_objectives(tmp_path: Path, family: str) -> None:
    base = save_base(family, tmp_path / "base", head=family == "roberta")
    folder = tmp_path / "m" / "0"
    weights = written(folder, settings_of(base, **ALL))
    before = load_file(base / "model.safetensors")
    names = {name: name.removeprefix(f"{family}.") for name in before}
    changed = {
        short: not torch.equal(before[name], weights[short])
        for name, short in names.items()
        if short in weights
    }
    assert changed["embeddings.word_embeddings.weight"]
    assert any("layer.1" in name and learned for name, learned in changed.items())
    rows = log_of(folder)
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4]
    for row in rows:
        parts = [float(row[name]) for name in ("mlm", "contrastive", "metadata")]
        assert float(row["loss"]) == pytest.approx(np.dot(parts, [1, 0.5, 0.1]), rel=1e-5)
    card = LanguageModelCard.read(folder)
    assert card.facts["steps"] == 4
    assert card.facts["documents"] == 60
    assert card.facts["categories"] == 2
    model = LanguageModel("m", folder / MODEL, pooling="mean")
    assert model.encode(documents(2, longest=30)).shape == (2, 16)


def test_all_that_chance_decides_follows_from_seed_and_copy(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    settings = settings_of(base, **ALL)
    first = written(tmp_path / "one" / "0", settings)
    torch.manual_seed(99)
    assert same(first, written(tmp_path / "two" / "0", settings))
    assert not same(first, written(tmp_path / "three" / "0", settings, seed=(4, 0)))
    assert not same(first, written(tmp_path / "four" / "0", settings, seed=(3, 1)))


def test_products_in_half_precision_give_almost_the_same_weights(tmp_path: Path) -> None:
    """They are kept, and read again, as float32."""
    base = save_base("bert", tmp_path / "base")
    before = load_file(base / "model.safetensors")
    exact, rough = (
        written(tmp_path / each / "0", settings_of(base, **ALL, precision=each))
        for each in PRECISIONS
    )
    assert same(exact, written(tmp_path / "auto" / "0", settings_of(base, **ALL)))
    assert {weight.dtype for weight in rough.values()} == {torch.float32}
    assert not same(exact, rough)
    changed, other = (
        torch.cat([(weight - before[name]).flatten() for name, weight in one.items()])
        for one in (exact, rough)
    )
    assert torch.cosine_similarity(changed, other, dim=0) > 0.9
    losses = ([float(row["loss"]) for row in log_of(tmp_path / each / "0")] for each in PRECISIONS)
    np.testing.assert_allclose(*losses, rtol=0.02)
    model = LanguageModel("m", tmp_path / "bfloat16" / "0" / MODEL, pooling="mean")
    assert model.encode(documents(2, longest=30)).dtype == np.float32


def test_a_very_long_document_is_read_in_parts(tmp_path: Path) -> None:
    """Of 100,000 words: neither the weights' size nor a step's tokens grow with it."""
    base = save_base("bert", tmp_path / "base")
    texts = [*documents(20), " ".join(WORDS * 2500)]
    long = readable_of(texts, [number % 2 for number in range(21)])
    settings = settings_of(base, **ALL, batch_size=21)
    began = time.process_time()
    written(tmp_path / "m" / "0", settings, long)
    assert time.process_time() - began < 30
    facts = LanguageModelCard.read(tmp_path / "m" / "0").facts
    assert facts["document_tokens"] == sum(len(text.split()) for text in texts)
    spans = settings.anchors * (1 + settings.positives)
    assert facts["tokens"] <= 4 * 21 * (48 + spans * (settings.longest_span + 2))


def test_learning_lowers_the_loss_of_each_objective(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    for name, share in (("mlm", 0.99), ("contrastive", 0.9), ("metadata", 0.9)):
        settings = settings_of(base, objectives={name: 1}, steps=60, learning_rate=3e-3)
        written(tmp_path / name / "0", settings)
        losses = [float(row[name]) for row in log_of(tmp_path / name / "0")]
        assert np.mean(losses[-4:]) < share * np.mean(losses[:4]), name


@pytest.mark.parametrize("way", ["cross_entropy", "contrastive"])
def test_categories_come_apart(tmp_path: Path, way: str) -> None:
    base = save_base("bert", tmp_path / "base")
    chosen = {"objectives": {"metadata": 1}, "metadata": way, "steps": 60, "learning_rate": 3e-3}
    written(tmp_path / way / "0", settings_of(base, **chosen))
    texts = documents(20, seed=9, longest=30)

    def cosine(folder: Path) -> tuple[float, float]:
        found = LanguageModel("m", folder, pooling="mean").encode(texts)
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        alike = found @ found.T
        of = np.arange(20) % 2
        return alike[of[:, None] == of].mean(), alike[of[:, None] != of].mean()

    inside, between = cosine(tmp_path / way / "0" / MODEL)
    inside_before, between_before = cosine(base)
    assert inside - between > inside_before - between_before + 0.1


def test_what_is_frozen_stays(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base", layers=3)
    before = load_file(base / "model.safetensors")

    def changed(**settings: Any) -> set[str]:
        weights = written(
            tmp_path / str(len(settings)) / str(settings) / "0", settings_of(base, **settings)
        )
        return {name for name, weight in weights.items() if not torch.equal(weight, before[name])}

    words = "embeddings.word_embeddings.weight"
    everything = changed(objectives={"mlm": 1})
    assert words in everything
    assert everything - changed(objectives={"mlm": 1}, freeze_words=True) == {words}
    upper = changed(objectives={"mlm": 1, "contrastive": 1}, freeze_layers=2)
    assert upper
    assert all(name.startswith("encoder.layer.2.") for name in upper)
    with pytest.raises(StudyError, match="freeze_layers is 3, and the model has 3 layers"):
        changed(freeze_layers=3)


@pytest.mark.parametrize("family", FAMILIES)
def test_updates_of_low_rank_are_merged(tmp_path: Path, family: str) -> None:
    base = save_base(family, tmp_path / "base", layers=3)
    settings = settings_of(base, objectives={"contrastive": 1, "mlm": 1}, rank=2, freeze_layers=1)
    weights = written(tmp_path / "m" / "0", settings)
    before = load_file(base / "model.safetensors")
    ranks = {
        name: torch.linalg.matrix_rank(weight - before[name], tol=1e-5).item()
        for name, weight in weights.items()
        if not torch.equal(weight, before[name])
    }
    assert set(ranks.values()) == {2}
    assert not any("layer.0." in name or "embeddings" in name for name in ranks)
    assert {sum(f"layer.{k}." in name for name in ranks) for k in (1, 2)} == {6}
    facts = LanguageModelCard.read(tmp_path / "m" / "0").facts
    heads = 16 * 16 + 16 * 3 + len(WORDS) + 5  # of masked words, whose matrix is that of words
    assert facts["learning_parameters"] == 2 * 2 * (4 * (16 + 16) + 2 * (16 + 24)) + heads


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_lowest_layers_are_taken(tmp_path: Path, family: str) -> None:
    base = save_base(family, tmp_path / "base", layers=3)
    weights = written(tmp_path / "m" / "0", settings_of(base, layers=2, pretrain=False))
    before = load_file(base / "model.safetensors")
    assert same(weights, {n: w for n, w in before.items() if "layer.2." not in n and n in weights})
    assert sum("layer.1." in name for name in weights) == sum("layer.1." in name for name in before)
    assert LanguageModelCard.read(tmp_path / "m" / "0").facts["layers"] == 2
    with pytest.raises(StudyError, match=r"encoders\.m: layers is 4, but the model in .* has 3"):
        written(tmp_path / "m" / "1", settings_of(base, layers=4))


def test_a_base_of_another_kind_learns_contrast_but_no_masked_words(tmp_path: Path) -> None:
    from transformers import ElectraConfig, ElectraModel

    base = save_base("bert", tmp_path / "base")
    shape = {"vocab_size": len(WORDS) + 5, "num_hidden_layers": 1, "intermediate_size": 16}
    shape |= {"hidden_size": 16, "embedding_size": 16, "num_attention_heads": 2}
    ElectraModel(ElectraConfig(**shape)).save_pretrained(base)
    written(tmp_path / "m" / "0", settings_of(base, objectives={"contrastive": 1}))
    with pytest.raises(StudyError, match=r"of type 'electra'; give objectives without mlm"):
        written(tmp_path / "m" / "1", settings_of(base))


def test_a_tokenizer_without_a_mask_is_refused(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    told = json.loads((base / "tokenizer_config.json").read_text())
    told.pop("mask_token")
    (base / "tokenizer_config.json").write_text(json.dumps(told))
    with pytest.raises(StudyError, match="no token for masked words"):
        written(tmp_path / "m" / "0", settings_of(base))


def test_few_documents_are_refused(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    with pytest.raises(StudyError, match="only 19 of 21 documents that may be learned from hold a"):
        written(tmp_path / "m", settings_of(base), readable_of([*documents(19), "", " "]))


def test_a_rate_that_is_too_large_is_named(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    with pytest.raises(
        StudyError, match=r"no number after \d+ step\(s\): learning_rate \(1e\+38\)"
    ):
        written(tmp_path / "m" / "0", settings_of(base, learning_rate=1e38, steps=9))


# Budgets


def test_a_budget_of_tokens_ends_with_the_step_that_reaches_it(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    written(tmp_path / "m" / "0", settings_of(base, steps=None, tokens=2000))
    tokens = [int(row["tokens"]) for row in log_of(tmp_path / "m" / "0")]
    assert tokens[-2] < 2000 <= tokens[-1]


def test_without_a_budget_each_document_is_read_once_or_so(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    written(tmp_path / "m" / "0", settings_of(base, steps=None))
    facts = LanguageModelCard.read(tmp_path / "m" / "0").facts
    assert 0 <= facts["tokens"] - facts["document_tokens"] < facts["tokens"] / facts["steps"] + 1


def test_tokens_are_those_of_all_sequences(tmp_path: Path) -> None:
    """One pass over sixty documents that fit, six a step, with two marks each."""
    base = save_base("bert", tmp_path / "base")
    written(
        tmp_path / "m" / "0", settings_of(base, steps=10), readable_of(documents(60, longest=40))
    )
    facts = LanguageModelCard.read(tmp_path / "m" / "0").facts
    assert facts["tokens"] == facts["document_tokens"] + 2 * 60


def test_seconds_are_translated_once_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_base("bert", tmp_path / "base")
    settings = settings_of(base, steps=None, seconds=0.1)
    write_language_model(
        _new(tmp_path / "m" / "0"), "encoders.m", settings, SEED, Path(), learnable()
    )
    steps = LanguageModelCard.read(tmp_path / "m" / "0").facts["steps"]
    known = json.loads((tmp_path / "m" / STEPS).read_text())
    assert known["steps"] == steps > 0
    (tmp_path / "m" / STEPS).write_text(json.dumps(known | {"steps": 3}))
    monkeypatch.setattr(adapt, "measured_steps", lambda *_: pytest.fail("measured again"))
    write_language_model(
        _new(tmp_path / "m" / "1"), "encoders.m", settings, (3, 1), Path(), learnable()
    )
    assert LanguageModelCard.read(tmp_path / "m" / "1").facts["steps"] == 3
    whole = written(tmp_path / "n" / "1", settings_of(base, steps=3), seed=(3, 1))
    assert same(whole, load_file(tmp_path / "m" / "1" / MODEL / "model.safetensors"))


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


# Killed, and gone on


def test_a_killed_adaptation_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_base("bert", tmp_path / "base")
    settings = settings_of(base, **ALL, steps=80)
    whole = written(tmp_path / "whole" / "0", settings)
    folder = _new(tmp_path / "killed" / "0")
    monkeypatch.setattr(learning, "EVERY", 0.0)
    child = multiprocessing.get_context("fork").Process(
        target=write_language_model,
        args=(folder, "encoders.m", settings, SEED, Path(), learnable()),
    )
    child.start()
    deadline = time.monotonic() + 60
    while not (folder / CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert not (folder / MODEL).exists()
    taken = []
    monkeypatch.setattr(learning, "EVERY", 60.0)
    take = learning._Steps.take
    monkeypatch.setattr(
        learning._Steps, "take", lambda self, way, share: taken.append(1) or take(self, way, share)
    )
    assert same(whole, written(folder, settings))
    assert 0 < len(taken) < 80


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_base("bert", tmp_path / "base")
    folder = _new(tmp_path / "m" / "0")
    monkeypatch.setattr(learning, "EVERY", 0.0)
    monkeypatch.setattr(adapt, "_write_log", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_language_model(folder, "encoders.m", settings_of(base), SEED, Path(), learnable())
    assert (folder / CHECKPOINT).exists()
    monkeypatch.undo()
    other = settings_of(base, learning_rate=2e-3)
    assert same(written(folder, other), written(tmp_path / "n" / "0", other))


# From scratch


def test_from_scratch_words_that_few_patients_have_teach_nothing(tmp_path: Path) -> None:
    texts = documents(60)
    texts[4] += " zzyzx zzyzx zzyzx"
    texts[5] += " zzyzx"
    patients = [min(number, 58) for number in range(60)]
    patients[5] = patients[4]
    shape = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 16, "min_count": 2}
    settings = settings_of(None, scratch=shape, max_length=32)
    folder = tmp_path / "m" / "0"
    written(folder, settings, readable_of(texts, patients=patients))
    known = json.loads((folder / MODEL / "tokenizer.json").read_text())["model"]["vocab"]
    assert not any("z" in piece for piece in known)
    assert set(WORDS) <= set(known)
    again = tmp_path / "n" / "0"
    written(again, settings, readable_of(texts, patients=patients))
    assert (folder / MODEL / "tokenizer.json").read_bytes() == (
        again / MODEL / "tokenizer.json"
    ).read_bytes()
    rare = settings_of(None, scratch=shape | {"min_count": 61})
    with pytest.raises(StudyError, match="no word stands in documents of 61 patients"):
        written(tmp_path / "o" / "0", rare, readable_of(texts, patients=patients))


# The category that is the label


@pytest.mark.parametrize("objective", [0, 1])
def test_a_category_that_is_the_label_is_refused(tmp_path: Path, objective: float) -> None:
    base = save_base("bert", tmp_path / "base")
    kinds = [number % 3 for number in range(60)]
    labels = [2 - kind for kind in kinds]
    settings = settings_of(base, objectives={"mlm": 1, "metadata": objective})
    leaking = readable_of(documents(60), kinds, labels)
    if not objective:
        written(tmp_path / "m" / "0", settings, leaking)
        return
    with pytest.raises(StudyError, match="category of documents tells 100% of what is uncertain"):
        written(tmp_path / "m" / "0", settings, leaking)


def test_finer_categories_that_determine_the_label_are_refused(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    kinds = [number % 6 for number in range(60)]
    settings = settings_of(base, objectives={"metadata": 1})
    with pytest.raises(StudyError, match="is learning the label"):
        written(
            tmp_path / "m", settings, readable_of(documents(60), kinds, [k // 3 for k in kinds])
        )


@pytest.mark.parametrize("kinds", [[-1] * 60, [0] * 30 + [-1] * 30])
def test_a_category_that_tells_nothing_apart_is_refused(tmp_path: Path, kinds: list[int]) -> None:
    base = save_base("bert", tmp_path / "base")
    settings = settings_of(base, objectives={"metadata": 1})
    with pytest.raises(StudyError, match="needs two of them, but of 60 documents"):
        written(tmp_path / "m", settings, readable_of(documents(60), kinds))


def test_a_category_that_only_points_to_the_label_is_learned(tmp_path: Path) -> None:
    base = save_base("bert", tmp_path / "base")
    kinds = [number % 2 for number in range(60)]
    labels = [kind if number % 10 < 8 else 1 - kind for number, kind in enumerate(kinds)]
    settings = settings_of(base, objectives={"metadata": 1})
    written(tmp_path / "m" / "0", settings, readable_of(documents(60), kinds, labels))
    told = LanguageModelCard.read(tmp_path / "m" / "0").facts["label_told_by_category"]
    assert told == pytest.approx(0.6)


# The config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sites": []}, "sites: name those"),
        ({"objectives": {}}, "none has a weight"),
        ({"tokens": 5}, "steps and tokens say both"),
        ({"shortest_span": 20}, "above longest_span"),
        ({"base": None, "layers": 2}, "give scratch.layers"),
        ({"scratch": {"width": 10}}, "multiple of the number of heads"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TextEncoder.model_validate({"kind": "text", "sites": ["a"], "base": "b", **FAST, **changes})
