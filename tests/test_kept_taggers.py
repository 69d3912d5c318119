"""Taggers that have learned, as folders: they find the same again, or are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from embedding_data import save_tiny_model
from tagging_data import TYPES, made_up

from concept_transfer.errors import StudyError
from concept_transfer.extraction.kept import (
    check_kept,
    fingerprint,
    keep,
    keep_together,
    kept_files,
    kept_tagger,
)
from concept_transfer.extraction.learning import ensemble, learned, tagged
from concept_transfer.extraction.settings import (
    DictionaryTagger,
    EncoderTaggerSettings,
    Ensemble,
    HashedCrf,
)
from concept_transfer.extraction.tagger import CARD, Request

TRAIN, TEST = made_up(90, 1), made_up(40, 2)
SENTENCES = [*TEST.sentences, [], ["Zonisamide", "\u200b", "for", "coughs"]]
SCRATCH = {"kind": "encoder", "model": None, "width": 32, "layers": 1, "epochs": 2}
TOGETHER = Ensemble(kind="ensemble", of=["crf", "scratch"])
NO_FACTS: dict[str, Any] = {"learning_seconds": 0.0, "diverged": False}


@pytest.fixture(scope="module")
def taggers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Any, Path]]:
    """Name -> settings, tagger (none of the ensemble) and the folder that holds it."""
    folder = tmp_path_factory.mktemp("taggers")
    model = str(save_tiny_model("bert", folder / "model"))
    settings = {
        "names": DictionaryTagger(kind="dictionary"),
        "crf": HashedCrf(kind="hashed_crf"),
        "scratch": EncoderTaggerSettings(**SCRATCH, learning_rate=3e-3),
        "linear": EncoderTaggerSettings(kind="encoder", model=model, head="linear", epochs=1),
        "marginals": EncoderTaggerSettings(kind="encoder", model=model, head="crf", epochs=1),
    }
    found: dict[str, tuple[Any, Any, Path]] = {}
    for name, own in settings.items():
        tagger = learned(Request(f"taggers.{name}", TRAIN, TYPES, own, 1))
        (folder / name).mkdir()
        keep(tagger, own, TYPES, folder / name)
        found[name] = own, tagger, folder / name
    (folder / "both").mkdir()
    members = {name: folder / name for name in TOGETHER.of}
    keep_together(members, TOGETHER, TYPES, folder / "both")
    return found | {"both": (TOGETHER, None, folder / "both")}


@pytest.mark.parametrize("name", ["names", "crf", "scratch", "linear", "marginals"])
def test_a_kept_tagger_finds_the_same(
    taggers: dict[str, tuple[Any, Any, Path]], name: str, tmp_path: Path
) -> None:
    """Spans and probabilities, bit for bit, wherever the folder lies."""
    _, tagger, folder = taggers[name]
    again: Any = kept_tagger(Path(shutil.copytree(folder, tmp_path / "elsewhere")))
    assert again.tag(SENTENCES) == tagger.tag(SENTENCES)
    if name != "names":
        assert torch.equal(again.read(SENTENCES)[1], tagger.read(SENTENCES)[1])
    assert again.tag([]) == []


def test_a_kept_ensemble_is_that_of_the_taggings(
    taggers: dict[str, tuple[Any, Any, Path]], tmp_path: Path
) -> None:
    """As a study makes it of files with its members' probabilities."""
    members = []
    for name in TOGETHER.of:
        one = tagged(TEST, taggers[name][1], NO_FACTS)
        one.write(tmp_path)
        members.append(type(one).read(tmp_path))
    expected = ensemble(members, TYPES, TEST)
    shutil.copytree(taggers["both"][2], tmp_path / "elsewhere")
    together: Any = kept_tagger(tmp_path / "elsewhere")
    spans, probabilities = together.read(TEST.sentences)
    assert spans == list(expected.spans)
    assert expected.probabilities is not None
    assert torch.equal(probabilities, expected.probabilities)


def test_the_files_are_those_that_the_workflow_knows(
    taggers: dict[str, tuple[Any, Any, Path]], tmp_path: Path
) -> None:
    """No pickle among them; the same tagger has the same fingerprint, another another."""
    every = {name: settings for name, (settings, _, _) in taggers.items()}
    for name, (_, _, folder) in taggers.items():
        there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
        assert set(kept_files(name, every)) <= there
        assert {Path(file).suffix for file in there} <= {".json", ".safetensors"}
    settings, tagger, folder = taggers["crf"]
    keep(tagger, settings, TYPES, tmp_path)
    assert fingerprint(tmp_path) == fingerprint(folder)
    other = learned(Request("taggers.crf", TRAIN, TYPES, settings, 2))
    keep(other, settings, TYPES, tmp_path)
    assert fingerprint(tmp_path) != fingerprint(folder)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _other_format(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))


@pytest.mark.parametrize(
    ("name", "file", "damage", "message"),
    [
        ("crf", "names.json", Path.unlink, "is incomplete: .*names.json is missing; copy the"),
        ("crf", "weights.safetensors", _cut, "weights.safetensors is not as the tagger's tagger"),
        ("linear", "tokenizer.json", _cut, "tokenizer.json is not as the tagger's"),
        ("both", "scratch/head.safetensors", _cut, "scratch/head.safetensors is not as"),
        ("both", f"crf/{CARD}", _cut, "crf/tagger.json is not as"),
        ("names", CARD, Path.unlink, f"{CARD} does not exist; a tagger is a folder that a study"),
        ("names", CARD, _cut, f"{CARD} is no card of a tagger, or was changed"),
        ("names", CARD, _other_format, f"{CARD} has format 2, and this version reads 1"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused(
    taggers: dict[str, tuple[Any, Any, Path]],
    tmp_path: Path,
    name: str,
    file: str,
    damage: Callable[[Path], Any],
    message: str,
) -> None:
    folder = Path(shutil.copytree(taggers[name][2], tmp_path / "tagger"))
    check_kept(folder)
    damage(folder / file)
    asking: tuple[Callable[[Path], Any], ...] = (check_kept, kept_tagger)
    for ask in asking:
        with pytest.raises(StudyError, match=message) as raised:
            ask(folder)
        assert "\n" not in str(raised.value)
    with pytest.raises(StudyError, match="does not exist"):
        check_kept(tmp_path / "nowhere")
