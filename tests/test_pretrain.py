"""Pre-training as a whole: what it learns, that it goes on after a kill, and its cache."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from concept_transfer.embeddings import cache as vectors_cache
from concept_transfer.errors import StudyError
from concept_transfer.inputs.history import History
from concept_transfer.pretraining import cache
from concept_transfer.pretraining.corpus import Corpus
from concept_transfer.pretraining.encoder import FILES, EncoderFiles
from concept_transfer.pretraining.pretrain import pretrain
from concept_transfer.settings.encoders import CodeEncoder
from tests.history_data import chains, encoder, history
from tests.test_pretraining import texts

REPOSITORY = Path(__file__).resolve().parents[1]
LEARNING = {"width": 32, "batch_tokens": 512, "epochs": 8, "learning_rate": 1e-2}
SEED = (1, 0)


def every(*histories: History) -> list[np.ndarray]:
    return [np.ones(len(each), bool) for each in histories]


def trained(settings: CodeEncoder, data: History | None = None, seed=SEED, **further):
    data = chains(200, 0) if data is None else data
    return pretrain([data], every(data), settings, seed, **further)


def same(first: EncoderFiles, second: EncoderFiles) -> bool:
    return all(np.array_equal(first.weights[name], second.weights[name]) for name in first.weights)


# What is learned


@pytest.mark.parametrize("body", ["transformer", "gru"])
def test_context_is_learned_where_there_is_any(body: str) -> None:
    files, epochs = trained(encoder(**LEARNING, body=body), chains(300, 0))
    assert files.facts["loss"] < 0.6 * files.facts["blind_loss"]
    assert files.facts["accuracy"] > 0.5
    assert files.facts["loss"] == min(epoch.held_out_loss for epoch in epochs)
    assert epochs[0].epoch == 0
    assert len(epochs) == files.facts["epochs"] + 1


def test_shuffled_histories_have_no_context_to_learn() -> None:
    files, _ = trained(encoder(**LEARNING, shuffled=True), chains(300, 0))
    assert files.facts["loss"] > 0.95 * files.facts["blind_loss"]


def test_without_pretraining_weights_are_those_of_the_start() -> None:
    files, epochs = trained(encoder(pretrain=False))
    begun, _ = trained(encoder(epochs=1, learning_rate=1e-12))
    assert len(epochs) == 1
    for name, value in files.weights.items():
        np.testing.assert_allclose(value, begun.weights[name], atol=1e-6)


def test_learning_ends_when_the_held_out_loss_no_longer_falls() -> None:
    settings = encoder(epochs=40, patience=2, learning_rate=0.05, dropout=0, width=32)
    files, epochs = trained(settings, chains(60, 0))
    assert files.facts["epochs"] == files.facts["best_epoch"] + 2 < 40
    best = min(epochs, key=lambda epoch: epoch.held_out_loss)
    assert files.facts["best_epoch"] == best.epoch


def test_seed_and_copy_decide_all_that_is_drawn() -> None:
    settings = encoder(epochs=2)
    first, again = trained(settings)[0], trained(settings)[0]
    assert same(first, again)
    assert first.facts == again.facts
    for other in ((1, 1), (2, 0)):
        assert not same(first, trained(settings, seed=other)[0])


def test_prolonged_stays_are_learned_too() -> None:
    settings = encoder(epochs=2, prolonged_stay=5)
    files, _ = trained(settings)
    assert "stay.weight" in files.weights
    untouched, _ = trained(encoder(epochs=2, prolonged_stay=5, pretrain=False))
    assert not np.array_equal(files.weights["stay.weight"], untouched.weights["stay.weight"])


def test_vectors_start_from_texts() -> None:
    table = np.random.default_rng(0).normal(size=(4, 20)).astype(np.float32)
    vocabulary = texts("D/01", "D/05")
    settings = encoder(pretrain=False)
    plain, _ = trained(settings)
    found, _ = trained(settings, text=(vocabulary, table))
    changed = found.weights["embedding.codes.weight"] != plain.weights["embedding.codes.weight"]
    names = np.array(["pad", "cls", "unknown", "mask", *found.vocabulary.names])
    assert sorted(names[changed.any(1)]) == ["D/01", "D/05"]


def test_held_out_patients_and_others_are_not_learned_from() -> None:
    """Codes that only those rows have that may not be learned from are unknown."""
    data = chains(60, 0)
    extra = history([[("D/99", 1, 3.0), ("D/00", 2, 1.0)]] * 60, ["D/99", "D/00"])
    nobody = np.zeros(60, bool)
    files, _ = pretrain([data, extra], [np.ones(60, bool), nobody], encoder(epochs=1), SEED)
    alone, _ = trained(encoder(epochs=1), data)
    assert same(files, alone)
    assert "D/99" not in files.vocabulary.names


def test_the_parts_of_a_corpus_are_apart_and_of_known_codes() -> None:
    bare = history([[("S/F", 0, np.nan)], [], [("X", 1, 1.0)]], ["S/F", "X"])
    data = chains(100, 0)
    masks = [np.ones(3, bool), np.arange(100) >= 40]
    corpus = Corpus.of([bare, data], masks, encoder(min_count=2), np.random.default_rng(0))
    numbers = np.concatenate([corpus.training, corpus.held_out])
    assert sorted(numbers) == list(range(43, 103))
    assert len(corpus.held_out) == 6
    batch = corpus.batch(np.array([1, 43, 102]))
    assert batch.lengths.tolist() == [1, *corpus.lengths[[43, 102]]]


# What is refused


@pytest.mark.parametrize(
    ("settings", "patients", "message"),
    [
        (encoder(min_count=1000), 60, "none is left that 1000 patients have"),
        (encoder(codes=["M/*"]), 60, "widen 'codes'"),
        (encoder(), 19, "only 19 of 19 histories"),
        (encoder(learning_rate=1e30), 60, "learning_rate .* is too large"),
    ],
)
def test_what_cannot_be_learned_from_is_told(
    settings: CodeEncoder, patients: int, message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        trained(settings, chains(patients, 0))


def test_one_visit_patients_and_a_very_long_timeline_are_learned_from() -> None:
    short = [[("D/1", 1, 1.0), ("D/2", 1, 1.0)]] * 30
    long = [(f"D/{1 + place % 2}", 1 + place, 1e5 - place) for place in range(100_000)]
    data = history([*short, long], ["D/1", "D/2"])
    files, _ = trained(encoder(epochs=1, max_length=64), data)
    assert files.facts["cut_share"] == pytest.approx((100_001 - 64) / (100_000 + 60), abs=1e-6)


# After a kill, and from the cache


KILLED = "from tests.test_pretrain import write; import sys; write(sys.argv[1])"


def write(folder: Path | str) -> None:
    """An encoder that takes some seconds."""
    settings = encoder(width=32, epochs=8, patience=8, batch_tokens=256)
    data = chains(150, 0)
    cache.write_encoder(Path(folder), [data], every(data), settings, SEED)


def test_a_killed_job_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(vectors_cache.VARIABLE, str(tmp_path / "cache"))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    killed = subprocess.Popen(command, cwd=REPOSITORY)
    checkpoints: Sequence[Path] = ()
    while not checkpoints:
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
        checkpoints = list((tmp_path / "cache").glob(f"encoders/*/{cache.CHECKPOINT}"))
    killed.kill()
    killed.wait()
    assert checkpoints[0].exists()
    assert not (tmp_path / "killed").exists()
    write(tmp_path / "killed")
    monkeypatch.setenv(vectors_cache.VARIABLE, str(tmp_path / "another cache"))
    write(tmp_path / "whole")
    first, second = (EncoderFiles.read(tmp_path / name) for name in ("killed", "whole"))
    assert same(first, second)
    assert first.facts == second.facts
    rows = [
        [line.split("\t")[:-1] for line in (tmp_path / name / FILES[2]).read_text().splitlines()]
        for name in ("killed", "whole")
    ]
    assert rows[0] == rows[1]
    assert not list((tmp_path / "cache").glob(f"encoders/*/{cache.CHECKPOINT}"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[CodeEncoder]:
    """The settings of every pre-training that the cache did not spare."""
    monkeypatch.setenv(vectors_cache.VARIABLE, str(tmp_path / "cache"))
    done: list[CodeEncoder] = []

    def counting(histories, masks, settings, seed, **further):
        done.append(settings)
        return pretrain(histories, masks, settings, seed, **further)

    monkeypatch.setattr(cache, "pretrain", counting)
    return done


def test_the_cache_spares_what_is_the_same_and_nothing_else(
    counted: list[CodeEncoder], tmp_path: Path
) -> None:
    data, settings = chains(60, 0), encoder(epochs=1)
    other = history([*[[("D/01", 1, 1.0)]] * 60], ["D/01"])
    first, second = tmp_path / "first", tmp_path / "second"
    cache.write_encoder(first, [data], every(data), settings, SEED)
    elsewhere = settings.model_copy(update={"sites": ["b"], "copies": 3})
    cache.write_encoder(second, [data], every(data), elsewhere, SEED)
    assert len(counted) == 1
    assert {file.name for file in second.iterdir()} == set(FILES)
    assert EncoderFiles.read(second).settings == elsewhere
    assert same(EncoderFiles.read(first), EncoderFiles.read(second))
    for changed in (
        {"histories": [other], "masks": every(other)},
        {"masks": [np.arange(60) > 0]},
        {"settings": encoder(epochs=2)},
        {"seed": (1, 1)},
        {"text": (texts("D/01"), np.eye(2, 5, dtype=np.float32))},
    ):
        before = len(counted)
        asked = {"histories": [data], "masks": every(data), "settings": settings, "seed": SEED}
        cache.write_encoder(tmp_path / "third", **asked | changed)
        assert len(counted) == before + 1, changed


def test_a_damaged_entry_of_the_cache_is_named(counted: list[CodeEncoder], tmp_path: Path) -> None:
    data, settings = chains(60, 0), encoder(pretrain=False)
    cache.write_encoder(tmp_path / "one", [data], every(data), settings, SEED)
    (weights,) = (tmp_path / "cache").glob("encoders/*/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(StudyError, match=f"{weights.parent} is damaged .*delete it"):
        cache.write_encoder(tmp_path / "two", [data], every(data), settings, SEED)


def test_progress_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "concept_transfer"):
        trained(encoder(epochs=2), chains(60, 0))
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in lines if "held out" in line] == [
        "epoch 1 of at most 2",
        "epoch 2 of at most 2",
    ]
