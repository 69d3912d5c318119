"""The shared cache: computed once, by whoever comes first, whatever kills it."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from embedding_data import rows

from concept_transfer.embeddings.cache import VectorSpace, cache_folder, embed_cached, file_digest
from concept_transfer.errors import StudyError

TEXTS = [f"text {i}" for i in range(20)]
VECTORS = dict(zip(TEXTS, rows(20, 6), strict=True))


class Computer:
    """Computes in parts of `size`, remembers what it was asked, and can fail at a part."""

    def __init__(self, size=4, fail_at=None):
        self.size, self.fail_at, self.computed = size, fail_at, []

    def __call__(self, texts):
        for number, start in enumerate(range(0, len(texts), self.size)):
            if number == self.fail_at:
                raise RuntimeError("power cut")
            part = texts[start : start + self.size]
            self.computed += part
            yield part, np.stack([VECTORS[text] for text in part])


def space(folder, **identity):
    return VectorSpace({"model": "m", **identity}, folder)


def get(folder, texts=TEXTS, compute=None, **identity):
    computer = compute or Computer()
    return embed_cached("m", space(folder, **identity), texts, computer), computer


def test_vectors_come_back_in_the_order_asked_for_and_are_computed_once(tmp_path):
    first, computer = get(tmp_path)
    np.testing.assert_array_equal(first, np.stack([VECTORS[t] for t in TEXTS]))
    assert computer.computed == TEXTS
    some = TEXTS[11:3:-2]
    again, computer = get(tmp_path, some)
    np.testing.assert_array_equal(again, np.stack([VECTORS[t] for t in some]))
    assert computer.computed == []


def test_only_new_texts_are_computed(tmp_path):
    get(tmp_path, TEXTS[:7])
    _, computer = get(tmp_path)
    assert computer.computed == TEXTS[7:]


def test_another_model_pooling_or_revision_is_another_space(tmp_path):
    get(tmp_path)
    for identity in ({"model": "n"}, {"pooling": "cls"}, {"revision": "2"}):
        assert get(tmp_path, **identity)[1].computed == TEXTS


def test_what_was_computed_before_a_failure_is_kept(tmp_path):
    with pytest.raises(RuntimeError):
        get(tmp_path, compute=Computer(size=4, fail_at=2))
    _, computer = get(tmp_path)
    assert computer.computed == TEXTS[8:]


def test_a_half_written_file_of_a_killed_job_is_ignored_and_removed(tmp_path):
    get(tmp_path, TEXTS[:4])
    folder = next(tmp_path.glob("vectors/*"))
    complete = next(folder.glob("*.safetensors"))
    (folder / "dead.partial").write_bytes(complete.read_bytes()[:40])
    result, computer = get(tmp_path, TEXTS[:8])
    assert computer.computed == TEXTS[4:8]
    assert not list(folder.glob("*.partial"))
    assert len(result) == 8


@pytest.mark.parametrize("keep", [0, 5, 60, -3])
def test_a_damaged_file_is_computed_again(tmp_path, keep, caplog):
    get(tmp_path, compute=Computer(size=10))
    damaged = sorted(tmp_path.glob("vectors/*/*.safetensors"))[0]
    damaged.write_bytes(damaged.read_bytes()[:keep])
    result, computer = get(tmp_path, compute=Computer(size=10))
    assert len(computer.computed) == 10
    np.testing.assert_array_equal(result, np.stack([VECTORS[t] for t in TEXTS]))
    assert str(damaged) in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v * 0, "a vector of zeros for 'text 10'"),
        (lambda v: v * np.nan, "NaN or infinity for 'text 10'"),
        (lambda v: v[:, :0], "vectors of 0 numbers"),
        (lambda v: v[:, :2], "vectors of 2 numbers"),
    ],
)
def test_a_bad_entry_names_the_file_to_delete(tmp_path, change, message):
    """As an earlier release could store it: the good vectors of the first ten texts remain."""
    get(tmp_path, TEXTS[:10])
    poisoned = space(tmp_path)
    vectors = change(np.stack([VECTORS[text] for text in TEXTS[10:]]))
    before = set(tmp_path.glob("vectors/*/*.safetensors"))
    poisoned.store(TEXTS[10:], vectors)
    (bad,) = set(tmp_path.glob("vectors/*/*.safetensors")) - before
    with pytest.raises(StudyError, match=message) as error:
        get(tmp_path)
    assert str(bad) in str(error.value)
    assert "delete" in str(error.value)
    assert "\n" not in str(error.value)
    bad.unlink()
    result, computer = get(tmp_path)
    np.testing.assert_array_equal(result, np.stack([VECTORS[t] for t in TEXTS]))
    assert computer.computed == TEXTS[10:]


JOB = """
import sys, time, numpy as np
from concept_transfer.embeddings.cache import VectorSpace, embed_cached
from pathlib import Path
texts = [f"text {i}" for i in range(40)]
def compute(unknown):
    for text in unknown:
        print(text, flush=True)
        time.sleep(0.01)
        yield [text], np.full((1, 3), float(text.split()[1]) + 1, np.float32)
found = embed_cached("m", VectorSpace({"model": "m"}, Path(sys.argv[1])), texts, compute)
assert (found[:, 0] == np.arange(40) + 1).all()
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(folder)], stdout=subprocess.PIPE, text=True
    )


def test_jobs_at_once_compute_every_text_once(tmp_path):
    jobs = [start(tmp_path) for _ in range(4)]
    computed = [line for job in jobs for line in job.communicate(timeout=60)[0].splitlines()]
    assert [job.returncode for job in jobs] == [0] * 4
    assert sorted(computed) == sorted(f"text {i}" for i in range(40))


def test_a_job_killed_at_any_moment_costs_at_most_one_text(tmp_path):
    computed = []
    for after in (1, 2, 5, 9):
        job = start(tmp_path)
        computed += [job.stdout.readline().strip() for _ in range(after)]
        os.kill(job.pid, signal.SIGKILL)
        computed += job.communicate()[0].splitlines()
    last = start(tmp_path)
    computed += last.communicate(timeout=60)[0].splitlines()
    assert last.returncode == 0
    assert set(computed) == {f"text {i}" for i in range(40)}
    assert len(computed) <= 40 + 4


def test_a_folder_that_cannot_be_written_names_the_variable(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StudyError, match="CONCEPT_TRANSFER_CACHE"):
        get(file)


def test_the_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPT_TRANSFER_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"
    monkeypatch.delenv("CONCEPT_TRANSFER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder() == tmp_path / "b" / "concept-transfer"


def test_a_files_digest_is_remembered_until_the_file_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPT_TRANSFER_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    first = file_digest(file)
    assert file_digest(file) == first
    file.write_bytes(b"two")
    assert file_digest(file) != first
