"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public data sets for development; tests that need them skip where they are absent."""
    folder = Path(
        os.environ.get("CONCEPT_TRANSFER_DATA", REPOSITORY.parent / "shared" / "data")
    ).resolve()
    if not folder.is_dir():
        pytest.skip(f"needs the public data sets in {folder} (set CONCEPT_TRANSFER_DATA)")
    return folder
