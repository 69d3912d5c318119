"""What a job says of itself, on the terminal and in its log; it asks nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from concept_transfer import progress
from concept_transfer.progress import Progress, duration, part, told

JOB = """
import sys, time
from concept_transfer import progress
from concept_transfer.job import job

progress.FIRST_LINE, progress.NEXT_LINES = float(sys.argv[2]), 0.2
with job(sys.argv[1]):
    print("loading")
    for size in (50, 200):
        with progress.part(f"target size {size}"):
            counted = progress.Progress("epochs", 60, at_most=True)
            for _ in range(60):
                time.sleep(0.01)
                counted.advance()
    print("asked", input("run the custom code? [y/N] ") if len(sys.argv) > 3 else "nothing")
"""


def run_job(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """A job in a process of its own, whose user says yes to everything; and its log."""
    log = folder / "results" / "tiny" / "logs" / "train_local" / "north" / "block0.log"
    log.parent.mkdir(parents=True)
    where = str(log.relative_to(folder))
    command = [sys.executable, "-c", JOB, where, *arguments]
    done = subprocess.run(
        command, cwd=folder, input="y\n" * 9, capture_output=True, text=True, check=False
    )
    return done, log.read_text(encoding="utf-8")


def test_a_long_job_tells_the_terminal_where_it_is(tmp_path: Path) -> None:
    done, log = run_job(tmp_path, "0.3")
    lines = done.stderr.splitlines()
    assert done.returncode == 0
    assert done.stdout == ""
    assert 2 <= len(lines) <= 6
    assert lines[0].startswith("train_local north block0: target size 50: ")
    assert "target size 200: " in lines[-1]
    assert " of 60 epochs, " in lines[0]
    assert lines[0].endswith(" s left (at most)")
    assert "\r" not in done.stderr
    told_of = [line.removeprefix("train_local north block0: ") for line in lines]
    assert log.splitlines() == ["loading", *told_of, "asked nothing"]


def test_a_short_job_leaves_the_terminal_alone(tmp_path: Path) -> None:
    done, log = run_job(tmp_path, "60")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert log == "loading\nasked nothing\n"


def test_a_job_cannot_ask_the_terminal(tmp_path: Path) -> None:
    done, log = run_job(tmp_path, "60", "ask")
    assert done.returncode == 1
    assert "EOFError" in log
    assert (done.stdout, done.stderr) == ("", "")


def test_a_terminal_that_is_gone_ends_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0)
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "__stderr__", gone)
    with told("a job"):
        Progress("texts", 5).advance()


def test_rate_and_remaining_time_follow_the_clock(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A job of 6,000 texts at 25 a second, looked at once a second, as the clock says."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with caplog.at_level("INFO"), told("embed minilm"), part(""):
        counted = Progress("texts", 6000)
        for _ in range(45):
            now[0] += 1
            counted.advance(25)
    assert [record.message for record in caplog.records] == [
        "250 of 6,000 texts, 25 texts/s, 4 min left",
        "750 of 6,000 texts, 25 texts/s, 4 min left",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (5399, "1 h 30 min"), (7500, "2 h 5 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_outside_a_job_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    Progress("epochs", 1).advance()
    assert capfd.readouterr() == ("", "")
