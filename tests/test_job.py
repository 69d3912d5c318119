"""How a job ends: a paragraph in its log, or on standard error where the log cannot be written."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from concept_transfer.device import usable_device
from concept_transfer.errors import StudyError
from concept_transfer.job import job

REPOSITORY = Path(__file__).resolve().parents[1]
FULL = Path("/dev/full")  # every write to it finds the disk full
needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="needs the device /dev/full")


def fails(log: Path, work: Callable[[], Any]) -> None:
    with pytest.raises(SystemExit) as end, job(str(log)):
        work()
    assert end.value.code == 1


def write_to_full_disk() -> None:
    with FULL.open("w") as file:
        file.write("x" * 100_000)


def save_array_to_full_disk() -> None:
    with FULL.open("wb") as file:
        np.save(file, np.zeros(100_000))


def raised(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@needs_full
@pytest.mark.parametrize(
    "work",
    [
        write_to_full_disk,
        save_array_to_full_disk,
        raised(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))),
        raised(Exception("I/O error: No space left on device (os error 28)")),
    ],
    ids=["text", "array", "quota", "words of safetensors"],
)
def test_a_full_disk_is_said_in_one_line(tmp_path: Path, work: Callable[[], None]) -> None:
    fails(tmp_path / "log", work)
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Error: no space is left on a disk")


@needs_full
@pytest.mark.parametrize(
    ("work", "said"),
    [
        (write_to_full_disk, "Error: no space is left on a disk"),
        (raised(StudyError("wrong.csv has no row")), "Error: wrong.csv has no row"),
        (lambda: print("on the way"), "Error: no space is left on a disk"),
    ],
    ids=["full", "study", "progress"],
)
def test_what_the_log_cannot_take_is_said_on_standard_error(
    capsys: pytest.CaptureFixture[str], work: Callable[[], None], said: str
) -> None:
    fails(FULL, work)
    out, lines = capsys.readouterr()
    assert (out, len(lines.splitlines())) == ("", 1)
    assert lines.startswith(said)


def test_a_log_that_cannot_be_opened_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(tmp_path, lambda: None)
    said = capsys.readouterr().err
    assert said == f"Error: the log {tmp_path} cannot be written: Is a directory\n"


def test_too_little_memory_is_said_in_one_line(tmp_path: Path) -> None:
    fails(tmp_path / "log", lambda: np.zeros(2**50))
    said = (tmp_path / "log").read_text()
    assert said.startswith(
        "Error: the job needs more memory than there is (Unable to allocate 8.00 PiB"
    )
    assert len(said.splitlines()) == 1


def test_any_other_exception_keeps_its_traceback(tmp_path: Path) -> None:
    fails(tmp_path / "log", lambda: 1 / 0)
    said = (tmp_path / "log").read_text()
    assert said.startswith("Traceback")
    assert said.endswith("ZeroDivisionError: division by zero\n")


WORD = "Quetzalcoatl"


def read_a_cell() -> None:
    try:
        float(WORD)
    except ValueError as error:
        raise KeyError(WORD) from error


def test_a_job_that_reads_texts_says_where_it_failed_and_no_word(tmp_path: Path) -> None:
    fails(tmp_path / "log", read_a_cell)
    assert WORD in (tmp_path / "log").read_text()
    with pytest.raises(SystemExit), job(str(tmp_path / "log"), texts=True):
        read_a_cell()
    said = (tmp_path / "log").read_text()
    assert WORD not in said
    assert said.count("in read_a_cell") == 2
    assert re.search(
        r"(?s)^Traceback.*builtins\.ValueError \(.*Traceback.*builtins\.KeyError \(", said
    )


def test_jobs_that_read_texts_say_so() -> None:
    """Those that read a site's own files, documents or mentions, or a corpus and what is found."""
    constant = {"encode_site", "encode_texts", "encode_documents", "adapt", "review_mentions"}
    constant |= {"read_corpus", "tag", "tag_together", "measure_taggers"}
    for script in (REPOSITORY / "workflow" / "scripts").glob("*.py"):
        found = re.search(r"with job\(snakemake\.log\[0\](.*)\):", script.read_text("utf-8"))
        assert found
        of_learners = {"train", "train_source"}
        expected = ", texts=True" if script.stem in constant else ""
        expected = ", texts=are_among(snakemake.input)" if script.stem in of_learners else expected
        assert found[1] == expected, script.stem


def test_output_of_a_job_goes_to_its_log(tmp_path: Path) -> None:
    with job(str(tmp_path / "log")):
        print("half way")
    assert (tmp_path / "log").read_text() == "half way\n"


def test_a_device_that_the_machine_lacks_is_named() -> None:
    assert usable_device("cpu") == "cpu"
    with pytest.raises(StudyError, match=r"resources\.device is 'cuda:99'.*'device: cpu'") as error:
        usable_device("cuda:99")
    assert "\n" not in str(error.value)
