"""Who may read the files that hold patients' rows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from in_process import planned, run_job
from workflow_runs import tiny_study

from concept_transfer.private import private

HOLDING_PATIENTS = ("encounters", "splits", "predictions")


def rights(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:o}"


def test_rows_of_patients_are_for_their_user_alone(tmp_path: Path) -> None:
    """Snakemake makes a job's folders beforehand, with whatever rights the user gives by habit."""
    study = {
        **tiny_study(),
        "embeddings": {"one_hot": {"provider": "one_hot"}},
        "classifiers": ["logistic"],
        "strategies": ["local"],
    }
    before = os.umask(0o002)
    try:
        with planned(tmp_path, study) as jobs:
            for job in jobs:
                if job.rule.name in (
                    "encode_site",
                    "split_site",
                    "train_local_simple",
                    "evaluate",
                ):
                    run_job(job)
    finally:
        os.umask(before)
    results = tmp_path / "results" / "tiny"
    for name in HOLDING_PATIENTS:
        room = results / name
        found = [room, *room.rglob("*")]
        assert any(path.is_file() for path in found)
        assert {rights(path) for path in found if path.is_dir()} == {"700"}
        assert {rights(path) for path in found if path.is_file()} == {"600"}
    assert rights(results) == "775"
    assert rights(next((results / "metrics").rglob("estimates.parquet"))) == "664"


def test_a_folder_outside_the_results_is_closed_and_those_above_are_not(tmp_path: Path) -> None:
    above = tmp_path / "shared"
    above.mkdir()
    above.chmod(0o755)
    with private(above / "north", "encounters"):
        (above / "north" / "file").touch()
    assert (rights(above), rights(above / "north")) == ("755", "700")
    assert rights(above / "north" / "file") == "600"


def test_the_users_own_habit_is_restored(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with pytest.raises(ValueError, match="stop"), private(tmp_path / "a", "splits"):
            raise ValueError("stop")
        (tmp_path / "b").touch()
        assert rights(tmp_path / "b") == "644"
    finally:
        os.umask(before)


# No other way makes a folder somebody else's; elsewhere the rule is that of the tests above.
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_left_as_it_is(tmp_path: Path) -> None:
    theirs = tmp_path / "splits"
    theirs.mkdir()
    theirs.chmod(0o755)
    os.chown(theirs, 65534, 65534)
    with private(theirs, "splits"):
        (theirs / "file").touch()
    assert (rights(theirs), rights(theirs / "file")) == ("755", "600")
